//! ONNX models of any bytes.

use sam_train::import::onnx;

/// What is read is no more than the file has; everything else is an error in one line.
pub fn check(data: &[u8]) {
    let _ = onnx::is_onnx(data);
    match onnx::read(data) {
        Ok(tensors) => {
            let numbers: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
            assert!(4 * numbers <= data.len());
            for tensor in tensors {
                assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
            }
        }
        Err(error) => assert!(error.to_string().starts_with(['e', 't'])),
    }
}
