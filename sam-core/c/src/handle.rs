//! What lies in the memory that the caller lends: a method, and the half of a step that was begun.

use core::ptr::null;

use sam_core::{Half, LearningRate, Next, Real, State, Step, Values, ValuesMut, formula::DualNorm};

use crate::SamStatus;
use crate::border::Place;
use crate::lent::Lent;
use crate::method::{Error, Method, each};
use crate::settings::SamSettings;

pub(crate) struct Handle<T: Real> {
    method: Method<T>,
    half: Option<Half<T, DualNorm>>,
    /// The weights of the step that was begun.
    begun: *const T,
    norm: f64,
    /// Weights.
    n: usize,
    buffer: Place,
    perturbed: *const T,
}

impl<T: Real> Handle<T> {
    pub(crate) fn new(settings: &SamSettings, buffer: Lent<T>, n: usize) -> Result<Self, SamStatus> {
        let (perturbed, place) = (buffer.as_ptr(), Place::of(buffer.as_ptr(), buffer.len())?);
        let method = Method::new(settings, buffer, n)?;
        Ok(Self { method, half: None, begun: null(), norm: f64::NAN, n, buffer: place, perturbed })
    }

    /// # Errors
    /// A setting is out of range, or there is no such method or base optimizer.
    pub(crate) fn check_settings(settings: &SamSettings) -> Result<(), SamStatus> {
        Method::<T>::new(settings, Lent::default(), 0).map(drop)
    }

    /// Makes sure that what the state is copied to or from lies apart: from each other, the handle and the buffer.
    ///
    /// # Errors
    /// They share a byte.
    pub(crate) fn check_state(&self, handle: Place, reals: Place, counts: Place) -> Result<(), SamStatus> {
        reals.apart_from(counts)?;
        for place in [reals, counts] {
            place.apart_from(handle)?;
            place.apart_from(self.buffer)?;
        }
        Ok(())
    }

    /// How many weights there are, once both vectors are known to lie apart from each other and from the buffer.
    ///
    /// # Errors
    /// What is wrong with the two.
    pub(crate) fn check(&self, w: *const T, g: *const T) -> Result<usize, SamStatus> {
        let (w, g) = (Place::of(w, self.n)?, Place::of(g, self.n)?);
        w.apart_from(g)?;
        w.apart_from(self.buffer)?;
        g.apart_from(self.buffer)?;
        Ok(self.n)
    }

    pub(crate) fn begin(&mut self, w: &mut [T], g: &mut [T], loss: T) -> Result<SamStatus, SamStatus> {
        if self.half.is_some() {
            return Err(SamStatus::Order);
        }
        let next = each!(Method, &mut self.method, it => it.begin(w, g, loss))?;
        Ok(match next {
            Next::Gradient(half) => {
                self.norm = half.norm().value();
                self.half = Some(half);
                self.begun = w.as_ptr();
                SamStatus::Gradient
            }
            Next::Done(step) => {
                self.norm = step.norm.value();
                step.outcome.into()
            }
        })
    }

    /// Where the second gradient is wanted: where the buffer begins, in all steps. No method of the interface perturbs in place.
    pub(crate) const fn perturbed(&self) -> *const T {
        self.perturbed
    }

    pub(crate) fn finish(&mut self, w: &mut [T], g: &mut [T], loss: T) -> Result<SamStatus, SamStatus> {
        let half = self.half.take_if(|_| self.begun == w.as_ptr());
        let half = half.ok_or(if self.half.is_some() { SamStatus::Weights } else { SamStatus::Order })?;
        let step: Result<Step<_, _>, Error> =
            each!(Method, &mut self.method, it => it.finish(half.clone(), w, g, loss));
        match step {
            Ok(step) => Ok(step.outcome.into()),
            Err(error) => {
                self.half = Some(half);
                Err(error.into())
            }
        }
    }

    /// The second buffer holds the perturbed weights, so that there are none to put back.
    pub(crate) fn cancel(&mut self) -> Result<SamStatus, SamStatus> {
        let half = self.half.take().ok_or(SamStatus::Order)?;
        each!(Method, &mut self.method, it => it.cancel(half, &mut [])).map_err(|_| SamStatus::Unexpected)?;
        Ok(SamStatus::Ok)
    }

    pub(crate) const fn norm(&self) -> f64 {
        self.norm
    }

    pub(crate) fn learning_rate(&self) -> T {
        self.method.learning_rate()
    }

    pub(crate) fn set_learning_rate(&mut self, rate: f64) -> Result<SamStatus, SamStatus> {
        let before = self.method.learning_rate();
        self.method.set_learning_rate(T::narrow(rate));
        self.method.check_settings().inspect_err(|_| self.method.set_learning_rate(before))?;
        Ok(SamStatus::Ok)
    }

    pub(crate) fn set_rho(&mut self, rho: f64) -> Result<SamStatus, SamStatus> {
        let before = self.method.rule_mut().rho;
        self.method.rule_mut().rho = T::narrow(rho);
        self.method.check_settings().inspect_err(|_| self.method.rule_mut().rho = before)?;
        Ok(SamStatus::Ok)
    }

    /// How many numbers and how many counters the state has.
    pub(crate) fn state_lengths(&self) -> (usize, usize) {
        let (mut reals, mut counts) = (0usize, 0usize);
        self.method.save(&mut |_, values| match values {
            Values::Reals(values) => reals = reals.saturating_add(values.len()),
            Values::Counts(values) => counts = counts.saturating_add(values.len()),
        });
        (reals, counts)
    }

    /// Fills both, which are as long as [`Handle::state_lengths`] says.
    pub(crate) fn save(&self, reals: &mut [T], counts: &mut [u64]) -> Result<SamStatus, SamStatus> {
        self.between_steps()?;
        let (mut reals, mut counts) = (reals.iter_mut(), counts.iter_mut());
        self.method.save(&mut |_, values| match values {
            Values::Reals(values) => values.iter().zip(&mut reals).for_each(|(from, to)| *to = *from),
            Values::Counts(values) => values.iter().zip(&mut counts).for_each(|(from, to)| *to = *from),
        });
        Ok(SamStatus::Ok)
    }

    /// Takes what [`Handle::save`] gave.
    pub(crate) fn load(&mut self, reals: &[T], counts: &[u64]) -> Result<SamStatus, SamStatus> {
        self.between_steps()?;
        let (mut reals, mut counts) = (reals.iter(), counts.iter());
        self.method.load(&mut |_, values| match values {
            ValuesMut::Reals(values) => values.iter_mut().zip(&mut reals).for_each(|(to, from)| *to = *from),
            ValuesMut::Counts(values) => {
                values.iter_mut().zip(&mut counts).for_each(|(to, from)| *to = *from);
            }
        });
        Ok(SamStatus::Ok)
    }

    fn between_steps(&self) -> Result<(), SamStatus> {
        if self.half.is_some() { Err(SamStatus::Order) } else { Ok(()) }
    }
}
