//! Class folders with any bytes in files that are called pictures.

use sam_train::data::own::{FileSettings, Fit, OnBroken, read};

use crate::folder::Folder;

/// A PNG of one pixel, for each class.
const GOOD: &[u8] = include_bytes!("../corpus/own_data/png");

/// The first byte says how many files the others are cut into, and how they are read. Each file is an image or has one line of
/// its own; where nothing is left out, the first that cannot be read is named.
pub fn check(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else { return };
    let folder = Folder::new("pictures");
    let good = &GOOD[1..];
    for class in ["a", "b"] {
        (0..3).for_each(|i| drop(folder.write(&format!("{class}/good{i}.png"), good)));
    }
    let count = 1 + usize::from(first % 4);
    let share = bytes.len().div_ceil(count).max(1);
    let others = bytes.chunks(share).count();
    for (i, bytes) in bytes.chunks(share).enumerate() {
        let ending = ["png", "jpg", "JPEG", "gif"][(i + usize::from(first >> 2)) % 4];
        folder.write(&format!("{}/{i}.{ending}", ["a", "b"][i % 2]), bytes);
    }
    let mut settings = FileSettings::of(folder.path());
    settings.size = Some("6x5".parse().expect("a size"));
    settings.fit = if first & 0x80 == 0 { Fit::Cover } else { Fit::Centre };
    settings.broken = OnBroken::Skip;
    let found = read(folder.path(), &settings).expect("six good pictures");
    let images = found.dataset.train.len() + found.dataset.test.len();
    assert_eq!(images + found.broken.len(), 6 + others);
    for broken in &found.broken {
        let line = broken.to_string();
        assert!(line.starts_with(&folder.path().display().to_string()) && !line.contains('\n'), "{line}");
    }
    let (train, size) = (&found.dataset.train, found.dataset.shape.len());
    assert_eq!(train.pixels.all().expect("pictures that were decoded before").len(), train.len() * size);
    settings.broken = OnBroken::Stop;
    match read(folder.path(), &settings) {
        Ok(_) => assert!(found.broken.is_empty()),
        Err(error) => assert!(error.to_string().contains(&format!("cannot be read: {}", found.broken.len()))),
    }
}
