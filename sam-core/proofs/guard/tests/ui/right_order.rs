//! The right order, which compiles: climb, read through the guard, descend.

use sam_core::{Rule, Sam, Sgd, SliceSpace};

fn main() {
    let (mut w, mut g) = ([3.0, -2.0], [1.0, 1.0]);
    let mut sam = Sam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.05), Sgd::new(0.1));
    let up = sam.ascend(&mut w[..], &g[..]).unwrap();
    assert!(up.params()[0] > 3.0);
    let _ = up.descend(&mut g[..]).unwrap();
    assert_eq!(w, [2.9, -2.1]);
}
