//! Base optimizers, clipping, state.

use core::hint::black_box as seen;

use sam_core::{
    Adam, Average, Clipped, Descent, LearningRate, LengthMismatch, Lion, Momentum, Real, RmsProp, Rule, Sgd,
    State, Values, ValuesMut, VariationalNewton, WeightDecay, formula,
};

pub fn exercise<T: Real>() {
    let (zero, one) = ([T::ZERO; 5], seen(T::ONE));
    let plain = Sgd::new(one).with_decay(seen(WeightDecay::Decoupled(one)));
    steps(plain);
    let mut sgd =
        Sgd::new(one).with_momentum(one, zero).with_nesterov().with_decay(seen(WeightDecay::Coupled(one)));
    seen(sgd.momentum_buffer());
    seen(sgd.momentum_buffer_mut());
    if let Ok((update, momentum)) = sgd.parts(&zero, &zero) {
        let mut part = seen(zero);
        update.apply(&mut part, &zero, momentum);
        seen(part);
    }
    steps(sgd);
    steps(Adam::new(one, zero, zero).with_decay(seen(WeightDecay::Coupled(one))));
    steps(Adam::adamw(one, one, zero, zero));
    steps(RmsProp::new(one, zero, zero));
    steps(RmsProp::tensorflow(one, zero, zero));
    steps(Lion::new(one, one, zero));
    steps(VariationalNewton::new(one, zero, zero).with_decay(one).with_damping(one).with_start(one));
    seen(VariationalNewton::<T, [T; 5]>::words(seen(5)));
    let clipped = Clipped::new(Lion::new(one, one, zero), seen(one));
    let mut part = seen([one; 5]);
    clipped.clip(&mut part, &formula::dual_norm(&Rule::l2(one), &zero, &[one; 5]));
    seen(part);
    steps(clipped);
    average(Average::uniform(zero));
    average(Average::exponential(one, zero));
    let n = seen(5);
    seen(LengthMismatch::check("buffer", n, n).map_err(|e| e.with_whole("samples")).is_ok());
    seen((Sgd::<T, [T; 5]>::words(n), Adam::<T, [T; 5]>::words(n)));
    seen((RmsProp::<T, [T; 5]>::words(n), Lion::<T, [T; 5]>::words(n)));
}

fn steps<T: Real, D: Descent<[T]> + LearningRate<T> + Momentum<[T]> + State<T>>(mut base: D) {
    let (mut w, mut g) = (seen([T::ONE; 5]), seen([T::ONE; 5]));
    let mut lent = &mut base;
    seen(Descent::descend(&mut lent, &mut w, &mut g).is_ok());
    LearningRate::set_learning_rate(&mut lent, seen(T::ONE));
    seen((base.learning_rate(), base.momentum().len()));
    state(&mut base);
    seen(w);
}

fn average<T: Real>(mut average: Average<T, [T; 5]>) {
    seen(average.add(&seen([T::ONE; 5])).is_ok());
    state(&mut average);
    seen((average.mean().len(), average.count(), average.weighting.share(2)));
}

pub fn state<T: Real>(of: &mut impl State<T>) {
    let mut words = 0usize;
    let several = core::slice::from_mut(of);
    several.save(&mut |name, piece| {
        seen(name);
        words = words.wrapping_add(match piece {
            Values::Reals(reals) => reals.len(),
            Values::Counts(counts) => counts.len(),
        });
    });
    several.load(&mut |_, piece| match piece {
        ValuesMut::Reals(reals) => reals.iter_mut().for_each(|r| *r = T::ONE),
        ValuesMut::Counts(counts) => counts.iter_mut().for_each(|c| *c = seen(1)),
    });
    seen(words);
}
