//! Boxes of what is object-safe are what they hold.

use alloc::boxed::Box;

use crate::method::MethodResult;
use crate::{
    Descent, GradientOracle, InvalidSetting, LearningRate, Method, Pass, Ready, Sink, Source, State,
};

impl<P: ?Sized, G: ?Sized, D: Descent<P, G> + ?Sized> Descent<P, G> for Box<D> {
    type Error = D::Error;

    fn descend(&mut self, params: &mut P, grads: &mut G) -> Result<(), D::Error> {
        D::descend(self, params, grads)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        D::check_settings(self)
    }
}

impl<R, D: LearningRate<R> + ?Sized> LearningRate<R> for Box<D> {
    fn learning_rate(&self) -> R {
        D::learning_rate(self)
    }

    fn set_learning_rate(&mut self, rate: R) {
        D::set_learning_rate(self, rate);
    }
}

impl<R, S: State<R> + ?Sized> State<R> for Box<S> {
    fn save(&self, sink: &mut Sink<'_, R>) {
        S::save(self, sink);
    }

    fn load(&mut self, source: &mut Source<'_, R>) {
        S::load(self, source);
    }
}

impl<P: ?Sized, G: ?Sized, O: GradientOracle<P, G> + ?Sized> GradientOracle<P, G> for Box<O> {
    type Loss = O::Loss;
    type Error = O::Error;

    fn gradient(&mut self, params: &P, grads: &mut G, pass: Pass) -> Result<O::Loss, O::Error> {
        O::gradient(self, params, grads, pass)
    }

    fn gradient_in_parts(
        &mut self,
        params: &P,
        grads: &mut G,
        pass: Pass,
        ready: &mut Ready<'_, G>,
    ) -> Result<O::Loss, O::Error> {
        O::gradient_in_parts(self, params, grads, pass, ready)
    }
}

impl<P, G, O, M> Method<P, G, O> for Box<M>
where
    P: ?Sized,
    G: ?Sized,
    O: GradientOracle<P, G> + ?Sized,
    M: Method<P, G, O> + ?Sized,
{
    type Norm = M::Norm;
    type Error = M::Error;

    fn step(&mut self, w: &mut P, g: &mut G, oracle: &mut O) -> MethodResult<Self, P, G, O> {
        M::step(self, w, g, oracle)
    }

    fn perturbed<'a>(&'a self, w: &'a P) -> &'a P {
        M::perturbed(self, w)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        M::check_settings(self)
    }
}
