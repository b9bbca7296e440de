//! Stratified splits: parts with the same share of every class.

use rand::seq::SliceRandom;

use super::{DataError, ImageSet};
use crate::random::{Purpose, stream};

/// What is held out is a part of the data, not of a run: every seed has the same.
const SEED: u64 = 0;

/// `set` without and then with only `share` of the images of each class, rounded, but for the last image of a class; both parts in
/// their order. Which ones is drawn once and for all.
///
/// # Errors
/// [`DataError`], when the file of the images cannot be read.
pub fn hold_out(set: &ImageSet, share: f64) -> Result<(ImageSet, ImageSet), DataError> {
    let mut held_out = vec![false; set.len()];
    for (class, mut images) in (0..).zip(by_class(&set.labels)) {
        images.shuffle(&mut stream(SEED, Purpose::Split, class, 1));
        let count = (share * images.len() as f64).round() as usize;
        let most = images.len().saturating_sub(1);
        images.iter().take(count.min(most)).for_each(|&image| held_out[image] = true);
    }
    let part = |wanted: bool| set.subset((0..set.len()).filter(|&image| held_out[image] == wanted));
    Ok((part(false)?, part(true)?))
}

/// The order of the images in which the first of them, however many, have all classes in about their shares.
pub fn spread(labels: &[u16]) -> Vec<usize> {
    let mut placed: Vec<(f64, usize)> = Vec::with_capacity(labels.len());
    for images in by_class(labels) {
        let count = images.len() as f64;
        placed.extend(images.iter().zip(0..).map(|(&image, rank)| ((f64::from(rank) + 0.5) / count, image)));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    placed.into_iter().map(|(_, image)| image).collect()
}

/// The images of each class, in their order.
fn by_class(labels: &[u16]) -> Vec<Vec<usize>> {
    let classes = labels.iter().max().map_or(0, |&most| usize::from(most) + 1);
    let mut images = vec![Vec::new(); classes];
    labels.iter().enumerate().for_each(|(image, &label)| images[usize::from(label)].push(image));
    images
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(labels: &[u16]) -> ImageSet {
        let pixels: Vec<u8> = (0..labels.len()).flat_map(|i| (i as u32).to_le_bytes()).collect();
        ImageSet { pixels: pixels.into(), labels: labels.to_vec() }
    }

    proptest! {
        #[test]
        fn each_class_is_held_out_in_its_share_and_every_image_is_in_one_part(
            labels in prop::collection::vec(0_u16..5, 1..200),
            share in 0.0..1.0_f64,
        ) {
            let (rest, held_out) = hold_out(&set(&labels), share).unwrap();
            let count = |labels: &[u16], class| labels.iter().filter(|&&label| label == class).count();
            for class in 0..5 {
                let (all, out) = (count(&labels, class), count(&held_out.labels, class));
                prop_assert_eq!(out + count(&rest.labels, class), all);
                prop_assert!((out as f64 - share * all as f64).abs() <= 0.5 || out + 1 == all);
                prop_assert!(all == 0 || out < all);
            }
            let mut images = [rest.pixels.all().unwrap(), held_out.pixels.all().unwrap()].concat();
            let mut images: Vec<&mut [u8; 4]> = images.as_chunks_mut().0.iter_mut().collect();
            images.sort_by_key(|image| u32::from_le_bytes(**image));
            prop_assert!(images.iter().zip(0_u32..).all(|(image, i)| **image == i.to_le_bytes()));
        }

        #[test]
        fn the_first_images_have_every_class_in_its_share(labels in prop::collection::vec(0_u16..4, 1..200)) {
            let order = spread(&labels);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..labels.len()));
            for first in [labels.len() / 3, labels.len() / 2] {
                for class in 0..4 {
                    let of = |images: &[usize]| images.iter().filter(|&&i| labels[i] == class).count() as f64;
                    let expected = of(&order) * first as f64 / labels.len() as f64;
                    prop_assert!((of(&order[..first]) - expected).abs() <= 2.0);
                }
            }
        }
    }
}
