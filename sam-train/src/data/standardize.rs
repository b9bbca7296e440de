//! Bytes to numbers of mean 0 and variance 1.

use super::{DataError, Pixels};

/// Pixels read at a time.
const AT_ONCE: usize = 1 << 18;

/// For each channel, what every byte becomes: `(byte - mean) / standard deviation`, over the training images unless the data set's scale says
/// whose.
///
/// The published scale of the bytes (0 to 16 or 0 to 255) cancels. A channel of one value becomes 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardizer {
    tables: Vec<[f32; 256]>,
    moments: Vec<Moments>,
}

/// Of a channel's bytes: how many there are, their sum, and the sum of their squares. A standardizer is made of them, to the bit.
pub type Moments = [u64; 3];

impl Standardizer {
    /// Takes mean and standard deviation of each of `channels` channels over all of `pixels`, which are of whole images.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn fit(pixels: &Pixels, channels: usize) -> Result<Self, DataError> {
        let mut counts = vec![[0_u64; 256]; channels];
        pixels.chunks(AT_ONCE * channels, |bytes| {
            for pixel in bytes.chunks_exact(channels) {
                for (counts, &byte) in counts.iter_mut().zip(pixel) {
                    counts[usize::from(byte)] += 1;
                }
            }
            Ok::<_, DataError>(())
        })?;
        Ok(Self::of(&counts.iter().map(moments).collect::<Vec<_>>()))
    }

    /// That of channels with these moments.
    pub fn of(moments: &[Moments]) -> Self {
        Self { tables: moments.iter().map(table).collect(), moments: moments.to_vec() }
    }

    /// What it was made of, a channel each.
    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// The mean of each channel as a byte, to the nearest.
    pub fn means(&self) -> Vec<u8> {
        let mean = |&[n, sum, _]: &Moments| match n {
            0 => 0,
            // Numbers of a file may be those of no bytes.
            _ => ((2 * u128::from(sum) + u128::from(n)) / (2 * u128::from(n))).min(255) as u8,
        };
        self.moments.iter().map(mean).collect()
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.tables.len()
    }

    /// What every byte of each channel becomes.
    pub fn tables(&self) -> &[[f32; 256]] {
        &self.tables
    }

    /// Standardises the channels of whole pixels; `bytes` and `values` are of one length.
    pub fn apply(&self, bytes: &[u8], values: &mut [f32]) {
        if let [table] = &self.tables[..] {
            values.iter_mut().zip(bytes).for_each(|(value, &byte)| *value = table[usize::from(byte)]);
            return;
        }
        let channels = self.channels();
        for (values, bytes) in values.chunks_exact_mut(channels).zip(bytes.chunks_exact(channels)) {
            for ((value, &byte), table) in values.iter_mut().zip(bytes).zip(&self.tables) {
                *value = table[usize::from(byte)];
            }
        }
    }
}

/// Sums in whole numbers, so that mean and variance carry one rounding each.
fn moments(counts: &[u64; 256]) -> Moments {
    let moment = |power| counts.iter().zip(0_u64..).map(|(&count, byte)| count * byte.pow(power)).sum();
    [moment(0), moment(1), moment(2)]
}

fn table(&moments: &Moments) -> [f32; 256] {
    let [n, sum, squares] = moments.map(u128::from);
    // Numbers of a file may be those of no bytes.
    let scaled_variance = (n * squares).saturating_sub(sum * sum);
    if scaled_variance == 0 {
        return [0.0; 256];
    }
    let deviation = (scaled_variance as f64).sqrt();
    std::array::from_fn(|byte| ((n as f64 * byte as f64 - sum as f64) / deviation) as f32)
}
