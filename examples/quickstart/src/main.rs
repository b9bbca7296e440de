//! SAM on a gradient of your own: the first example of the project's README.

use sam_core::{Rule, Sam, Sgd, SliceSpace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut w, mut g) = (vec![3.0f32, -2.0], vec![0.0; 2]);
    let space = SliceSpace::new(vec![0.0; 2]); // where w + eps-hat goes: w itself is never touched
    let mut sam = Sam::new(space, Rule::l2(0.05), Sgd::new(0.1).with_momentum(0.9, vec![0.0; 2]));
    for _ in 0..200 {
        let step = sam.step_with(&mut w, &mut g, |w, g, _pass| {
            g.copy_from_slice(&[w[0], 10.0 * w[1]]); // your gradient at w, here of (w0^2 + 10 w1^2) / 2
            0.5 * (w[0] * w[0] + 10.0 * w[1] * w[1]) // and your loss
        })?;
        assert!(step.clean.is_finite());
    }
    assert!(w[0].abs() < 0.1 && w[1].abs() < 0.1);
    println!("the minimum is at 0, 0; found {w:?}");
    Ok(())
}
