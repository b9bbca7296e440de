//! The policy that was found on SVHN: Cubuk et al. 2019.

use super::SubPolicy;
use crate::data::augment::scale::Kind::{
    AutoContrast, Contrast, Equalize, Invert, Rotate, ShearX, ShearY, Solarize, TranslateX, TranslateY,
};

/// Each operation with its probability in tenths and its level.
pub const SVHN: [SubPolicy; 25] = [
    [(ShearX, 9, 4), (Invert, 2, 3)],
    [(ShearY, 9, 8), (Invert, 7, 5)],
    [(Equalize, 6, 5), (Solarize, 6, 6)],
    [(Invert, 9, 3), (Equalize, 6, 3)],
    [(Equalize, 6, 1), (Rotate, 9, 3)],
    [(ShearX, 9, 4), (AutoContrast, 8, 3)],
    [(ShearY, 9, 8), (Invert, 4, 5)],
    [(ShearY, 9, 5), (Solarize, 2, 6)],
    [(Invert, 9, 6), (AutoContrast, 8, 1)],
    [(Equalize, 6, 3), (Rotate, 9, 3)],
    [(ShearX, 9, 4), (Solarize, 3, 3)],
    [(ShearY, 8, 8), (Invert, 7, 4)],
    [(Equalize, 9, 5), (TranslateY, 6, 6)],
    [(Invert, 9, 4), (Equalize, 6, 7)],
    [(Contrast, 3, 3), (Rotate, 8, 4)],
    [(Invert, 8, 5), (TranslateY, 0, 2)],
    [(ShearY, 7, 6), (Solarize, 4, 8)],
    [(Invert, 6, 4), (Rotate, 8, 4)],
    [(ShearY, 3, 7), (TranslateX, 9, 3)],
    [(ShearX, 1, 6), (Invert, 6, 5)],
    [(Solarize, 7, 2), (TranslateY, 6, 7)],
    [(ShearY, 8, 4), (Invert, 8, 8)],
    [(ShearX, 7, 9), (TranslateY, 8, 3)],
    [(ShearY, 8, 5), (AutoContrast, 7, 3)],
    [(ShearX, 7, 2), (Invert, 1, 5)],
];
