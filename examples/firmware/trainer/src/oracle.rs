//! The network's gradients, as `sam-core` asks for them: one image after the other, so that a batch takes no memory.

use sam_core::{GradientOracle, LengthMismatch, Pass};

use crate::{Batch, Network, Sight};

/// Mean loss of a batch as a function of all weights.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The network.
    pub network: Network,
    /// The images.
    pub batch: Batch<'a>,
    /// Scratch space.
    pub sight: Sight<'a>,
}

/// Mean loss of a batch as a function of the last layer's weights, the first layer being what it is.
#[derive(Debug)]
pub struct LastLayer<'a> {
    /// The network.
    pub network: Network,
    /// The first layer's weights.
    pub first: &'a [f32],
    /// The images.
    pub batch: Batch<'a>,
    /// Scratch space.
    pub sight: Sight<'a>,
}

impl GradientOracle<[f32]> for Whole<'_> {
    type Loss = f32;
    type Error = LengthMismatch;

    fn gradient(&mut self, w: &[f32], g: &mut [f32], _: Pass) -> Result<f32, LengthMismatch> {
        let Self { network, batch, sight } = self;
        Network::check(network.weights(), "parameters", w)?;
        Network::check(network.weights(), "gradient", g)?;
        let (first, last) = w.split_at(network.first_layer());
        g.fill(0.0);
        let (g_first, g_last) = g.split_at_mut(network.first_layer());
        let share = 1.0 / batch.places.len() as f32;
        let mut loss = 0.0;
        for (image, label) in batch.images() {
            batch.sensor.see(image, sight.image);
            network.hide(first, sight);
            network.conclude(last, sight);
            loss += sight.judge(label, share) * share;
            network.blame_last(g_last, sight);
            network.blame_first(last, g_first, sight);
        }
        Ok(loss)
    }
}

impl GradientOracle<[f32]> for LastLayer<'_> {
    type Loss = f32;
    type Error = LengthMismatch;

    fn gradient(&mut self, w: &[f32], g: &mut [f32], _: Pass) -> Result<f32, LengthMismatch> {
        let Self { network, first, batch, sight } = self;
        Network::check(network.first_layer(), "first layer", first)?;
        Network::check(network.last_layer(), "parameters", w)?;
        Network::check(network.last_layer(), "gradient", g)?;
        g.fill(0.0);
        let share = 1.0 / batch.places.len() as f32;
        let mut loss = 0.0;
        for (image, label) in batch.images() {
            batch.sensor.see(image, sight.image);
            network.hide(first, sight);
            network.conclude(w, sight);
            loss += sight.judge(label, share) * share;
            network.blame_last(g, sight);
        }
        Ok(loss)
    }
}
