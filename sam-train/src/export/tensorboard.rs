//! What each epoch gave as TensorBoard's events: records of protobuf messages, each with checksums.
//!
//! A record is its length in 8 bytes, the masked CRC-32C of those, the message, and the masked CRC-32C of it
//! (TensorFlow's `record_writer.h`); the message is an `Event` (its `event.proto`).

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use super::protobuf::Message;
use crate::{
    files::FileError,
    observer::{Event, Observer, ObserverError},
    training::{evaluated::Evaluated, metrics::EpochMetrics},
};

/// The figures of an epoch by the names that they are shown under; those in one group have one chart.
pub fn scalars(metrics: &EpochMetrics, evaluated_on: Evaluated) -> Vec<(String, f64)> {
    let [loss, error] = ["loss", "error"].map(|figure| format!("{figure}/{evaluated_on}"));
    let all = [
        ("loss/train", Some(metrics.train_loss)),
        (&*loss, metrics.test_loss),
        ("loss/ema", metrics.ema_test_loss),
        ("loss/swa", metrics.swa_test_loss),
        ("error/train", metrics.train_error),
        (&*error, metrics.test_error),
        ("error/ema", metrics.ema_test_error),
        ("error/swa", metrics.swa_test_error),
        ("gradient_norm", metrics.gradient_norm),
        ("sharpness", metrics.sharpness),
        ("lr", Some(metrics.lr.into())),
        ("images_per_s", metrics.images_per_s),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.filter(|value| value.is_finite())?)))
        .collect()
}

/// The content of a file of events of these epochs, evaluated on those images, all at the time `seconds` after 1970.
pub fn encode(epochs: &[EpochMetrics], evaluated_on: Evaluated, seconds: f64) -> Vec<u8> {
    let mut content = begin(seconds);
    epochs.iter().for_each(|metrics| content.extend(record(&event(metrics, evaluated_on, seconds))));
    content
}

/// Appends each epoch to a file of its own in a run's directory, which is made with the first one.
#[derive(Debug)]
pub struct TensorBoard {
    directory: PathBuf,
    /// The file, once there is one.
    file: Mutex<Option<PathBuf>>,
}

impl TensorBoard {
    /// For the run in `directory`.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), file: Mutex::new(None) }
    }
}

impl Observer for TensorBoard {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        let Event::Epoch { metrics, evaluated_on, .. } = event else { return Ok(()) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let new = file.is_none();
        let name = || format!("events.out.tfevents.{}.sam.{}", now as u64, process::id());
        let path = file.get_or_insert_with(|| self.directory.join(name()));
        let mut content = if new { begin(now) } else { Vec::new() };
        content.extend(record(&self::event(metrics, *evaluated_on, now)));
        let opened = OpenOptions::new().create(true).append(true).open(&*path);
        opened.and_then(|mut file| file.write_all(&content)).map_err(FileError::of(path, "written"))?;
        Ok(())
    }
}

/// The first record, which says what kind of file this is.
fn begin(seconds: f64) -> Vec<u8> {
    record(&Message::default().double(1, seconds).bytes(3, "brain.Event:2").into_bytes())
}

fn event(metrics: &EpochMetrics, evaluated_on: Evaluated, seconds: f64) -> Vec<u8> {
    let values: Vec<Message> = scalars(metrics, evaluated_on)
        .into_iter()
        .map(|(tag, value)| Message::default().bytes(1, &tag).float(2, value as f32))
        .collect();
    let summary = Message::default().messages(1, &values);
    let step = i64::try_from(metrics.epoch).unwrap_or(i64::MAX);
    Message::default().double(1, seconds).int(2, step).message(5, &summary).into_bytes()
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), message, &masked(message).to_le_bytes()].concat()
}

/// A checksum as the format stores it, so that one of a text with checksums in it is not trivial.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4), bit by bit: an epoch has a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn checksums_are_those_of_the_standard_s_examples() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_length_message_and_both_checksums() {
        let found = record(b"abc");
        assert_eq!(found.len(), 8 + 4 + 3 + 4);
        assert_eq!((&found[..8], &found[12..15]), (&[3, 0, 0, 0, 0, 0, 0, 0][..], &b"abc"[..]));
        assert_eq!(found[15..], masked(b"abc").to_le_bytes());
    }

    #[test]
    fn what_an_epoch_did_not_give_is_not_written() {
        let metrics =
            EpochMetrics { epoch: 3, train_loss: 0.5, test_error: Some(f64::NAN), ..EpochMetrics::default() };
        let names: Vec<_> = scalars(&metrics, Evaluated::Test).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["loss/train", "lr"]);
    }
}
