//! The network that the example trains: an ordinary burn module, which knows nothing of SAM.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Two convolutions with max-pooling and two dense layers: a small LeNet.
#[derive(Module, Debug)]
pub struct ConvNet {
    /// 3x3 filters from the image.
    pub conv1: Conv2d,
    /// 3x3 filters from the first layer's channels.
    pub conv2: Conv2d,
    pool: MaxPool2d,
    /// From the flattened image.
    pub dense: Linear,
    /// To the logits.
    pub head: Linear,
}

/// Channels of the two convolutions.
pub const CHANNELS: [usize; 2] = [8, 16];
/// Outputs of the first dense layer.
pub const HIDDEN: usize = 32;

impl ConvNet {
    /// For images of `height` times `width` pixels with `channels` channels.
    #[must_use]
    pub fn new([height, width, channels]: [usize; 3], classes: usize, device: &Device) -> Self {
        let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
        let conv = |from, to| Conv2dConfig::new([from, to], [3, 3]).with_padding(same.clone()).init(device);
        let [first, second] = CHANNELS;
        Self {
            conv1: conv(channels, first),
            conv2: conv(first, second),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            dense: LinearConfig::new((height / 4) * (width / 4) * second, HIDDEN).init(device),
            head: LinearConfig::new(HIDDEN, classes).init(device),
        }
    }

    /// Logits of images `samples x channels x height x width`.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for conv in [&self.conv1, &self.conv2] {
            x = self.pool.forward(relu(conv.forward(x)));
        }
        // Channels last, as sam-core's networks flatten an image.
        let x = x.permute([0, 2, 3, 1]).flatten::<2>(1, 3);
        self.head.forward(relu(self.dense.forward(x)))
    }
}
