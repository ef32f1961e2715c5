-- Effects are finite, errors positive, p and q within 0 and 1 with p <= q, and z is 0 only where p is 1.
select condition_index, gene_index, effect, standard_error, z, p_value, q_value, log2fc, log2fc_standard_error
from release.signature
where not isfinite(effect)
    or standard_error <= 0 or not isfinite(standard_error)
    or p_value not between 0 and 1
    or q_value not between 0 and 1
    or q_value < p_value * (1 - 1e-12)
    or not isfinite(z) or (z is null) <> (p_value is null) and effect_kind = 'delta_log1p'
    or not isfinite(log2fc) or log2fc_standard_error <= 0
