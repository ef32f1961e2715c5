-- Effects are finite, errors positive, p and q within 0 and 1 with p <= q, and z = effect / standard_error.
select condition_index, gene_index, effect, standard_error, z, p_value, q_value
from release.signature
where not isfinite(effect)
    or standard_error <= 0 or not isfinite(standard_error)
    or p_value not between 0 and 1
    or q_value not between 0 and 1
    or q_value < p_value * (1 - 1e-12)
    or abs(z * standard_error - effect) > 1e-5 * (abs(effect) + 1e-6)
