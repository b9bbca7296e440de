//! The same values without their pixels.

use crate::{
    Number,
    layout::Layout,
    team::{Share, Team},
};

/// Writes images to vectors, row behind row.
pub fn forward<T: Number>(
    team: &Team,
    samples: usize,
    (images, image): (&[T], Layout),
    (vectors, vector): (&mut [T], Layout),
) {
    vector.vectors_mut(vectors, samples).zip(images.chunks_exact(image.sample_len())).share(
        team,
        |(to, from)| {
            for (to, from) in to.chunks_exact_mut(image.row_len()).zip(image.rows(from)) {
                to.copy_from_slice(from);
            }
        },
    );
}

/// Writes vectors to images or adds them.
pub fn backward<T: Number>(
    team: &Team,
    samples: usize,
    (vectors, vector): (&[T], Layout),
    (images, image): (&mut [T], Layout),
    accumulate: bool,
) {
    images.chunks_exact_mut(image.sample_len()).zip(vector.vectors(vectors, samples)).share(
        team,
        |(to, from)| {
            for (to, from) in image.rows_mut(to).zip(from.chunks_exact(image.row_len())) {
                super::put(to, from.iter().copied(), accumulate);
            }
        },
    );
}
