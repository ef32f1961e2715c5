-- Whether any condition perturbed one gene or compound: a row if so.
select perturbation_id from condition where perturbation_id = $perturbation_id and not is_control limit 1
