//! The time to expect of a launch. Rates are estimates: no card has been timed.

use sam_backend_cuda::Precision;

use super::bytes::Cost;

/// A card.
pub struct Card {
    pub name: &'static str,
    /// Bytes a second that a kernel over whole tensors moves: three quarters of what a copy reaches.
    bandwidth: f64,
}

pub const CARDS: [Card; 2] =
    [Card { name: "H100 (SXM)", bandwidth: 0.75 * 3.0e12 }, Card { name: "H200", bandwidth: 0.75 * 4.5e12 }];

/// Whose kernels compute the products.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Library {
    Own,
    Vendor,
}

/// Seconds from one kernel of a recorded graph to the next.
const GAP: f64 = 1.5e-6;

impl Card {
    /// Of a launch: what its bytes or its operations take, whichever is longer.
    pub fn seconds(&self, name: &str, cost: &Cost, precision: Precision, library: Library) -> f64 {
        let bytes = (cost.read + cost.written) as f64 / self.bandwidth;
        let operations = cost.operations as f64 / rate(name, precision, library);
        bytes.max(operations) + GAP
    }
}

/// Operations a second of a product. This crate's: 65 % of what the instructions of its inner loops, counted in the machine code for
/// 9.0, can be issued at. Libraries': 60 % of the peak that NVIDIA states (66.9,
/// 495, 989 TFLOP/s).
fn rate(name: &str, precision: Precision, library: Library) -> f64 {
    let [single, tf32, bf16] = match () {
        () if name.starts_with("conv_forward") => [41.0, 106.0, 131.0],
        () if name.starts_with("conv_input_gradient") => [35.0, 72.0, 86.0],
        () => [38.0, 83.0, 88.0],
    };
    1e12 * match (precision, library) {
        (Precision::Single, Library::Own) => 0.65 * single,
        (Precision::Tf32, Library::Own) => 0.65 * tf32,
        (Precision::Single, Library::Vendor) => 0.6 * 66.9,
        (Precision::Tf32, Library::Vendor) => 0.6 * 495.0,
        (Precision::Bf16, Library::Own) => 0.65 * bf16,
        (Precision::Bf16, Library::Vendor) => 0.6 * 989.0,
    }
}
