//! Everything a run must remember, as named slices.

use core::fmt::{self, Write};

/// A piece of state to save.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "whoever leaves a kind out loses state")]
pub enum Values<'a, R> {
    /// Numbers, one a weight as a rule.
    Reals(&'a [R]),
    /// Step counters, positions in a cycle, seeds.
    Counts(&'a [u64]),
}

/// A piece of state to restore.
#[derive(Debug, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "whoever leaves a kind out loses state")]
pub enum ValuesMut<'a, R> {
    /// Numbers, one a weight as a rule.
    Reals(&'a mut [R]),
    /// Step counters, positions in a cycle, seeds.
    Counts(&'a mut [u64]),
}

/// Is shown the pieces of a state, each with its name.
pub type Sink<'a, R> = dyn FnMut(&str, Values<'_, R>) + 'a;

/// Fills the pieces of a state, each by its name.
pub type Source<'a, R> = dyn FnMut(&str, ValuesMut<'_, R>) + 'a;

/// State that survives a restart bit for bit.
///
/// Hyper-parameters are configuration, not state: who builds the object anew gives them again. Names are
/// unique within one object, and within a [`Sam`](crate::Sam) or a variant of it: those pass on what their
/// parts have. Of several objects, such as an optimizer for each tensor, a slice puts the number before the name:
/// `3.adam.mean`.
///
/// Object-safe. Who writes and can fail keeps the first error in the closure.
///
/// ```
/// use sam_core::{Descent, Sgd, State, Values};
///
/// let mut sgd = Sgd::new(0.1).with_momentum(0.9, [0.0; 2]);
/// sgd.descend(&mut [1.0, 2.0], &mut [0.5, -0.5])?;
/// let mut saved = Vec::new();
/// let state: &dyn State<f64> = &sgd;
/// state.save(&mut |name, values| {
///     if let Values::Reals(values) = values {
///         saved.push((name.to_owned(), values.to_vec()));
///     }
/// });
/// assert_eq!(saved, [("momentum".to_owned(), vec![0.5, -0.5])]);
/// # Ok::<_, sam_core::LengthMismatch>(())
/// ```
pub trait State<R> {
    /// Shows every piece to `sink`, always in the same order.
    fn save(&self, sink: &mut Sink<'_, R>);

    /// Has every piece filled by `source`, in the order of [`State::save`].
    fn load(&mut self, source: &mut Source<'_, R>);
}

/// A buffer that a method keeps from step to step, in whatever storage: anything that is a slice, and a storage of one's own, which
/// shows one piece or several ([`save_tensors`](crate::tensors::save_tensors)).
pub trait StateBuffer<R> {
    /// Shows its pieces to `sink`, under `name` or under names that begin with it.
    fn save_as(&self, name: &str, sink: &mut Sink<'_, R>);

    /// Has its pieces filled by `source`, under the names of [`StateBuffer::save_as`].
    fn load_as(&mut self, name: &str, source: &mut Source<'_, R>);
}

impl<R, B: AsRef<[R]> + AsMut<[R]>> StateBuffer<R> for B {
    fn save_as(&self, name: &str, sink: &mut Sink<'_, R>) {
        sink(name, Values::Reals(self.as_ref()));
    }

    fn load_as(&mut self, name: &str, source: &mut Source<'_, R>) {
        source(name, ValuesMut::Reals(self.as_mut()));
    }
}

impl<R, S: State<R> + ?Sized> State<R> for &mut S {
    fn save(&self, sink: &mut Sink<'_, R>) {
        S::save(self, sink);
    }

    fn load(&mut self, source: &mut Source<'_, R>) {
        S::load(self, source);
    }
}

/// The state of each, its names preceded by its number. Number and name may have 120 bytes; what is longer is cut.
impl<R, S: State<R>> State<R> for [S] {
    fn save(&self, sink: &mut Sink<'_, R>) {
        for (i, one) in self.iter().enumerate() {
            one.save(&mut |name, values| sink(Name::joined(i, name).as_str(), values));
        }
    }

    fn load(&mut self, source: &mut Source<'_, R>) {
        for (i, one) in self.iter_mut().enumerate() {
            one.load(&mut |name, values| source(Name::joined(i, name).as_str(), values));
        }
    }
}

/// A name of two parts.
pub(crate) struct Name {
    bytes: [u8; 120],
    len: usize,
}

impl Name {
    pub(crate) fn joined(first: impl fmt::Display, second: impl fmt::Display) -> Self {
        let mut name = Self { bytes: [0; 120], len: 0 };
        // The only error is that the name was cut.
        let _ = write!(name, "{first}.{second}");
        name
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let end = self.len.saturating_add(letter.len_utf8());
            let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
            let mut encoded = [0; 4];
            place
                .iter_mut()
                .zip(letter.encode_utf8(&mut encoded).as_bytes())
                .for_each(|(to, from)| *to = *from);
            self.len = end;
        }
        Ok(())
    }
}

/// Implements [`State`] for a type whose fields are the pieces, or that has none.
macro_rules! state {
    (impl[$($bound:tt)*] $type:ty { $($name:literal: $kind:ident($field:ident),)* }) => {
        #[allow(unused_variables)]
        impl<$($bound)*> $crate::State<T> for $type {
            fn save(&self, sink: &mut $crate::Sink<'_, T>) {
                $($crate::state::save!($kind, self.$field, $name, sink);)*
            }
            fn load(&mut self, source: &mut $crate::Source<'_, T>) {
                $($crate::state::load!($kind, self.$field, $name, source);)*
            }
        }
    };
}

macro_rules! save {
    (reals, $place:expr, $name:literal, $sink:ident) => {
        $crate::StateBuffer::<T>::save_as(&$place, $name, $sink)
    };
    (count, $place:expr, $name:literal, $sink:ident) => {
        $sink($name, $crate::Values::Counts(core::slice::from_ref(&$place)))
    };
}

macro_rules! load {
    (reals, $place:expr, $name:literal, $source:ident) => {
        $crate::StateBuffer::<T>::load_as(&mut $place, $name, $source)
    };
    (count, $place:expr, $name:literal, $source:ident) => {
        $source($name, $crate::ValuesMut::Counts(core::slice::from_mut(&mut $place)))
    };
}

/// Implements [`State`] for a type that only passes on the state of its fields.
macro_rules! state_of_fields {
    (impl[$($bound:tt)*] $type:ty { $($field:ident),* }) => {
        impl<$($bound)*> $crate::State<T> for $type {
            fn save(&self, sink: &mut $crate::Sink<'_, T>) {
                $($crate::State::<T>::save(&self.$field, sink);)*
            }
            fn load(&mut self, source: &mut $crate::Source<'_, T>) {
                $($crate::State::<T>::load(&mut self.$field, source);)*
            }
        }
    };
}

pub(crate) use {load, save, state, state_of_fields};
