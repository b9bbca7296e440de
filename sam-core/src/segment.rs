//! Different radii for different parts of the parameters.

mod directed;

use core::marker::PhantomData;
use core::ops::ControlFlow;

use crate::formula::{self, Ascent, DualNorm, NormAccumulator};
use crate::{LengthMismatch, ParamSpace, Real, Rule, Verdict};

/// A run of neighbouring parameters that are perturbed alike: a tensor, or several.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Segment<T> {
    /// Number of parameters.
    pub len: usize,
    /// The rule's radius is multiplied by this; 0 leaves the segment out of norm and perturbation.
    pub radius: T,
    /// Whether an adaptive rule is adaptive here. ASAM's paper leaves biases and normalisation out.
    pub adaptive: bool,
}

impl<T: Real> Segment<T> {
    /// Perturbed like the rule says.
    pub const fn new(len: usize) -> Self {
        Self { len, radius: T::ONE, adaptive: true }
    }

    /// Not perturbed.
    pub const fn fixed(len: usize) -> Self {
        Self { len, radius: T::ZERO, adaptive: false }
    }

    /// With the rule's radius times `radius`.
    #[must_use]
    pub const fn with_radius(self, radius: T) -> Self {
        Self { radius, ..self }
    }

    /// Perturbed as SAM does also where the rule is adaptive.
    #[must_use]
    pub const fn not_adaptive(self) -> Self {
        Self { adaptive: false, ..self }
    }

    fn rule(&self, rule: &Rule<T>) -> Rule<T> {
        let rule = rule.with_rho(rule.rho * self.radius);
        #[cfg(feature = "asam")]
        let rule = rule.with_adaptive(rule.eta().filter(|_| self.adaptive));
        rule
    }
}

/// What the perturbation of a segment is scaled by.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// The norm over all segments with a radius: one ball for all of them.
    Global,
    /// Its own norm: a ball for each segment.
    Segment,
}

/// A [`SliceSpace`](crate::SliceSpace) whose parameters are perturbed segment by segment: SAM on chosen
/// layers only, none on biases, ASAM on weights only, a radius for each layer.
///
/// With one segment, or with any number of segments alike and [`Scope::Global`], it is the slice space, bit
/// for bit. Memory: one word a weight, and the table. Traffic: with [`Scope::Segment`] one more read than
/// with [`Scope::Global`]. The reported norm is the global one in both cases.
///
/// ```
/// use sam_core::{Rule, Sam, Scope, Segment, SegmentedSpace, Sgd};
///
/// // Two weights, perturbed, and their bias, not.
/// let segments = [Segment::new(2), Segment::fixed(1)];
/// let space = SegmentedSpace::new(Scope::Global, segments, [0.0; 3]);
/// let mut sam = Sam::new(space, Rule::l2(0.5), Sgd::new(0.1));
/// let mut w = [3.0f64, -4.0, 7.0];
/// let up = sam.ascend(&mut w[..], &[3.0, -4.0, 1.0])?;
/// assert_eq!(up.params()[2], 7.0);
/// assert!((up.params()[0] - 3.3).abs() < 1e-15);
/// # Ok::<(), sam_core::LengthMismatch>(())
/// ```
#[derive(Clone, Debug)]
pub struct SegmentedSpace<T, B, L> {
    /// Whose norm.
    pub scope: Scope,
    segments: L,
    perturbed: B,
    element: PhantomData<T>,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>, L: AsRef<[Segment<T>]>> SegmentedSpace<T, B, L> {
    /// The segments' lengths must add up to the number of parameters, which is also the buffer's length.
    pub const fn new(scope: Scope, segments: L, buffer: B) -> Self {
        Self { scope, segments, perturbed: buffer, element: PhantomData }
    }

    /// The table.
    pub fn segments(&self) -> &[Segment<T>] {
        self.segments.as_ref()
    }

    fn check_lengths(&self, w: &[T], g: &[T]) -> Result<(), LengthMismatch> {
        let total = self.segments().iter().fold(0usize, |sum, segment| sum.saturating_add(segment.len));
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("table of segments", w.len(), total)?;
        LengthMismatch::check("buffer for perturbed parameters", w.len(), self.perturbed.as_ref().len())
    }
}

/// A segment with its weights and their gradient.
pub(crate) type SegmentSlices<'a, T> = (Segment<T>, &'a [T], &'a [T]);

/// Each segment with its slices of two vectors.
fn slices<'a, T: Real>(
    segments: &'a [Segment<T>],
    w: &'a [T],
    g: &'a [T],
) -> impl Iterator<Item = SegmentSlices<'a, T>> {
    let mut rest = (w, g);
    segments.iter().map_while(move |segment| {
        let (w, later_w) = rest.0.split_at_checked(segment.len)?;
        let (g, later_g) = rest.1.split_at_checked(segment.len)?;
        rest = (later_w, later_g);
        Some((*segment, w, g))
    })
}

/// The norm of all segments that have a radius; not finite if any segment is not, since what is left out of the norm is still part
/// of the gradient.
pub(crate) fn norm_of<'a, T: Real, I: Iterator<Item = SegmentSlices<'a, T>>>(
    rule: &Rule<T>,
    slices: impl Fn() -> I,
) -> DualNorm {
    let mut left_out = slices().filter(|(segment, ..)| segment.radius == T::ZERO);
    if !left_out.all(|(_, _, g)| formula::all_finite(g)) {
        return DualNorm::NON_FINITE;
    }
    let mut accumulator = NormAccumulator::new(rule);
    loop {
        for (segment, w, g) in slices().filter(|(segment, ..)| segment.radius != T::ZERO) {
            accumulator.push_as(segment.rule(rule).eta(), w, g);
        }
        match accumulator.finish() {
            ControlFlow::Break(norm) => return norm,
            ControlFlow::Continue(next) => accumulator = next,
        }
    }
}

/// Writes `w + eps-hat` of every segment. `norm` is [`norm_of`] the same segments.
pub(crate) fn ascend<'a, T: Real>(
    scope: Scope,
    rule: &Rule<T>,
    norm: &DualNorm,
    slices: impl Iterator<Item = (Segment<T>, &'a [T], &'a [T], &'a mut [T])>,
) {
    // The one coordinate of p = 1 is counted as the norm counted: through the segments with a radius.
    let mut offset = 0usize;
    for (segment, w, g, up) in slices {
        let rule = segment.rule(rule);
        match scope {
            Scope::Global => Ascent::new(&rule, norm).write(offset, w, g, up),
            Scope::Segment if norm.verdict() == Verdict::NonFinite => Ascent::Stay.write(0, w, g, up),
            Scope::Segment => Ascent::new(&rule, &formula::dual_norm(&rule, w, g)).write(0, w, g, up),
        }
        if segment.radius != T::ZERO {
            offset = offset.saturating_add(w.len());
        }
    }
}

impl<T, B, L> ParamSpace for SegmentedSpace<T, B, L>
where
    T: Real,
    B: AsRef<[T]> + AsMut<[T]>,
    L: AsRef<[Segment<T>]>,
{
    type Params = [T];
    type Grads = [T];
    type Scalar = T;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[T], g: &[T], rule: &Rule<T>) -> Result<DualNorm, LengthMismatch> {
        self.check_lengths(w, g)?;
        Ok(norm_of(rule, || slices(self.segments(), w, g)))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut [T],
        g: &[T],
        rule: &Rule<T>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.check_lengths(w, g)?;
        let Self { scope, segments, perturbed, .. } = self;
        let mut rest = perturbed.as_mut();
        let slices = slices(segments.as_ref(), w, g).map_while(|(segment, w, g)| {
            let (up, later) = core::mem::take(&mut rest).split_at_mut_checked(w.len())?;
            rest = later;
            Some((segment, w, g, up))
        });
        ascend(*scope, rule, norm, slices);
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a [T]) -> &'a [T] {
        self.perturbed.as_ref()
    }

    fn restore(&mut self, _w: &mut [T]) -> Result<(), LengthMismatch> {
        Ok(())
    }

    fn check(&mut self, g: &[T]) -> Result<Verdict, LengthMismatch> {
        Ok(if formula::all_finite(g) { Verdict::Finite } else { Verdict::NonFinite })
    }
}
