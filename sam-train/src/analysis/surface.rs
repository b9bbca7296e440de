//! The loss over a plane through the weights, in directions normalised filter by filter (Li et al., NeurIPS 2018).

use rand_distr::{Distribution, StandardNormal};
use sam_backend_ndarray::BatchError;
use sam_model::TensorInfo;

use super::model::Model;
use crate::random::{Purpose, stream};

/// A random direction in which every filter is as long as that filter of `weights`: the weights that lead to one output
/// of a layer. Biases, and scales and shifts of batch normalisation, stay where they are, as in the authors' code.
///
/// So the picture does not depend on the scale of a layer that the next one undoes.
pub fn filter_normalised(weights: &[f32], infos: &[TensorInfo], seed: u64, number: u64) -> Vec<f32> {
    let mut random = stream(seed, Purpose::Direction, 0, number);
    let mut direction = vec![0.0; weights.len()];
    for info in infos.iter().filter(|info| info.shape.len() > 1) {
        let outputs = info.shape.last().copied().unwrap_or(1);
        let to = &mut direction[info.range.clone()];
        to.iter_mut().for_each(|to| *to = StandardNormal.sample(&mut random));
        let from = &weights[info.range.clone()];
        for output in 0..outputs {
            let length = |values: &[f32]| {
                let own = values.iter().skip(output).step_by(outputs);
                own.map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
            };
            let (wanted, found) = (length(from), length(to));
            let scale = if found > 0.0 { (wanted / found) as f32 } else { 0.0 };
            to.iter_mut().skip(output).step_by(outputs).for_each(|x| *x *= scale);
        }
    }
    direction
}

/// The mean loss at `weights + a x + b y` for every pair of `steps`, row by row: `b` is the row's.
///
/// # Errors
/// [`BatchError`], when the weights are of another network.
pub fn losses(
    model: &mut Model<f32>,
    weights: &[f32],
    [x, y]: [&[f32]; 2],
    steps: &[f64],
) -> Result<Vec<f64>, BatchError> {
    let mut point = vec![0.0; weights.len()];
    let mut losses = Vec::with_capacity(steps.len() * steps.len());
    for &b in steps {
        for &a in steps {
            let (a, b) = (a as f32, b as f32);
            for (point, (w, (x, y))) in point.iter_mut().zip(weights.iter().zip(x.iter().zip(y))) {
                *point = w + a * x + b * y;
            }
            losses.push(model.evaluate(&point)?.loss);
        }
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use sam_backend_ndarray::{Network, TensorView};
    use sam_model::ImageShape;

    use super::*;

    #[test]
    fn every_filter_of_a_direction_is_as_long_as_that_of_the_weights() {
        let network =
            Network::<f32>::new(&"resnet-8".parse().unwrap(), ImageShape::new(8, 8, 1), 3, 2, 1).unwrap();
        let weights: Vec<f32> = network.initial_parameters(1).iter().map(|w| w + 0.01).collect();
        let [a, b] = [0, 1].map(|number| filter_normalised(&weights, network.tensors(), 5, number));
        assert_ne!(a, b);
        for info in network.tensors() {
            let (w, d) = (info.view(&weights).unwrap(), info.view(&a).unwrap());
            if info.shape.len() == 1 {
                assert!(d.iter().all(|&x| x == 0.0), "{}", info.name);
                continue;
            }
            let last = ndarray::Axis(info.shape.len() - 1);
            for (w, d) in w.axis_iter(last).zip(d.axis_iter(last)) {
                let length = |v: &ndarray::ArrayViewD<'_, f32>| {
                    v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
                };
                assert!((length(&w) / length(&d) - 1.0).abs() < 1e-5, "{}", info.name);
            }
        }
    }
}
