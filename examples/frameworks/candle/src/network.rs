//! The network that the example trains: an ordinary candle model, which knows nothing of SAM.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, Module, VarBuilder, conv2d, linear};

/// Two convolutions with mean-pooling and two dense layers: a small LeNet.
///
/// Not max-pooling: the gradient of candle 0.11's `max_pool2d` with windows of 2x2 is a quarter of the right one
/// wherever a window has one largest value.
#[derive(Clone, Debug)]
pub struct ConvNet {
    convolutions: [Conv2d; 2],
    dense: Linear,
    head: Linear,
}

/// Channels of the two convolutions.
pub const CHANNELS: [usize; 2] = [8, 16];
/// Outputs of the first dense layer.
pub const HIDDEN: usize = 32;

impl ConvNet {
    /// For images of `height` times `width` pixels with `channels` channels.
    ///
    /// # Errors
    /// Those of the variables' storage.
    pub fn new(
        [height, width, channels]: [usize; 3],
        classes: usize,
        variables: VarBuilder<'_>,
    ) -> Result<Self> {
        let same = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let [first, second] = CHANNELS;
        Ok(Self {
            convolutions: [
                conv2d(channels, first, 3, same, variables.pp("conv1"))?,
                conv2d(first, second, 3, same, variables.pp("conv2"))?,
            ],
            dense: linear((height / 4) * (width / 4) * second, HIDDEN, variables.pp("dense"))?,
            head: linear(HIDDEN, classes, variables.pp("head"))?,
        })
    }

    /// Logits of images `samples x channels x height x width`.
    ///
    /// # Errors
    /// When the images don't fit the network.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = images.clone();
        for convolution in &self.convolutions {
            x = convolution.forward(&x)?.relu()?.avg_pool2d(2)?;
        }
        // Channels last, as sam-core's networks flatten an image.
        let x = x.permute((0, 2, 3, 1))?.flatten_from(1)?;
        self.head.forward(&self.dense.forward(&x)?.relu()?)
    }
}
