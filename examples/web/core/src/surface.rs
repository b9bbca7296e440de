//! The loss surface that a person sees: a shallow bowl with two wells.

/// A hole in the surface, `-depth * exp(-|r - at|^2 / (2 width^2))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Well {
    /// Its centre.
    pub at: [f64; 2],
    /// How far down it goes.
    pub depth: f64,
    /// Its standard deviation: the smaller, the sharper.
    pub width: f64,
}

/// `1 + |r|^2 / 50` and two wells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surface {
    /// The wells.
    pub wells: [Well; 2],
}

/// Curvature of the bowl.
const BOWL: f64 = 0.04;

impl Surface {
    /// A sharp well on the flank of a flat one.
    pub const INITIAL: Self = Self {
        wells: [
            Well { at: [-0.9, 0.5], depth: 0.4, width: 0.22 },
            Well { at: [1.3, -0.4], depth: 1.0, width: 2.0 },
        ],
    };

    /// Height at a point.
    pub fn loss(&self, r: [f64; 2]) -> f64 {
        let bowl = 1.0 + 0.5 * BOWL * square(r);
        self.wells.iter().fold(bowl, |sum, well| sum - well.fill(r))
    }

    /// Slope at a point.
    pub fn gradient(&self, r: [f64; 2]) -> [f64; 2] {
        self.wells.iter().fold(r.map(|x| BOWL * x), |g, well| {
            let steepness = well.fill(r) / (well.width * well.width);
            let d = minus(r, well.at);
            [g[0] + steepness * d[0], g[1] + steepness * d[1]]
        })
    }

    /// The greatest height at distance `rho` of a point less the height there, over 64 directions: how sharp the
    /// surface is around it.
    pub fn sharpness(&self, r: [f64; 2], rho: f64) -> f64 {
        let around = (0..64).map(|i| {
            let angle = f64::from(i) * (core::f64::consts::TAU / 64.0);
            self.loss([r[0] + rho * libm::cos(angle), r[1] + rho * libm::sin(angle)])
        });
        around.fold(f64::NEG_INFINITY, f64::max) - self.loss(r)
    }
}

impl Well {
    /// What the well takes off at a point.
    fn fill(&self, r: [f64; 2]) -> f64 {
        self.depth * libm::exp(-0.5 * square(minus(r, self.at)) / (self.width * self.width))
    }
}

fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

fn square(r: [f64; 2]) -> f64 {
    r[0] * r[0] + r[1] * r[1]
}
