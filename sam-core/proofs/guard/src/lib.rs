//! Programs that the guard of the perturbed parameters refuses, in `tests/`.
