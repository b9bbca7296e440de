//! Files of `torch.save` with any bytes, and any bytes as a pickle.

use sam_train::import::torch::{self, pickle::Pickle};

/// What is read is no more than the file has; everything else is an error. Nothing is executed, since nothing here could.
pub fn check(data: &[u8]) {
    if let Ok(tensors) = torch::read(data) {
        let numbers: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
        assert!(4 * numbers <= data.len());
        for tensor in tensors {
            assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        }
    }
    if let Ok(pickle) = Pickle::read(data) {
        assert!(pickle.length <= data.len());
        assert!(pickle.values().count() <= pickle.length);
    }
}
