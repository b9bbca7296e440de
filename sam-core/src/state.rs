//! Everything a run must remember, as named slices.

/// A piece of state to save.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Words<'a, R> {
    /// Numbers, one a weight as a rule.
    Reals(&'a [R]),
    /// Step counters, positions in a cycle, seeds.
    Counts(&'a [u64]),
}

/// A piece of state to restore.
#[derive(Debug, PartialEq)]
pub enum WordsMut<'a, R> {
    /// Numbers, one a weight as a rule.
    Reals(&'a mut [R]),
    /// Step counters, positions in a cycle, seeds.
    Counts(&'a mut [u64]),
}

/// State that survives a restart bit for bit.
///
/// Hyper-parameters are configuration, not state: who builds the object anew gives them again. Names are
/// unique within one object, and within a [`Sam`](crate::Sam) or a variant of it: those pass on what their
/// parts have.
///
/// ```
/// use sam_core::{Descent, Sgd, State, Words, WordsMut};
///
/// let mut sgd = Sgd::new(0.1).with_momentum(0.9, [0.0; 2]);
/// sgd.descend(&mut [1.0, 2.0], &mut [0.5, -0.5])?;
/// let mut saved = Vec::new();
/// sgd.save(&mut |name, words| {
///     if let Words::Reals(words) = words {
///         saved.push((name, words.to_vec()));
///     }
///     Ok::<_, ()>(())
/// }).unwrap();
/// assert_eq!(saved, [("momentum", vec![0.5, -0.5])]);
/// # Ok::<_, sam_core::LengthMismatch>(())
/// ```
pub trait State<R> {
    /// Shows every piece to `sink`, always in the same order.
    ///
    /// # Errors
    /// The first of `sink`'s.
    fn save<E>(&self, sink: &mut impl FnMut(&'static str, Words<'_, R>) -> Result<(), E>) -> Result<(), E>;

    /// Has every piece filled by `source`, in the order of [`State::save`].
    ///
    /// # Errors
    /// The first of `source`'s; pieces before it are then filled already.
    fn load<E>(
        &mut self,
        source: &mut impl FnMut(&'static str, WordsMut<'_, R>) -> Result<(), E>,
    ) -> Result<(), E>;
}

/// Implements [`State`] for a type whose fields are the pieces, or that has none.
macro_rules! state {
    (impl[$($bound:tt)*] $type:ty { $($name:literal: $kind:ident($($field:tt)+),)* }) => {
        #[allow(unused_variables)]
        impl<$($bound)*> $crate::State<T> for $type {
            fn save<E>(
                &self,
                sink: &mut impl FnMut(&'static str, $crate::Words<'_, T>) -> Result<(), E>,
            ) -> Result<(), E> {
                $(sink($name, $crate::state::shared!($kind, self.$($field)+))?;)*
                Ok(())
            }
            fn load<E>(
                &mut self,
                source: &mut impl FnMut(&'static str, $crate::WordsMut<'_, T>) -> Result<(), E>,
            ) -> Result<(), E> {
                $(source($name, $crate::state::unique!($kind, self.$($field)+))?;)*
                Ok(())
            }
        }
    };
}

macro_rules! shared {
    (reals, $($place:tt)+) => { $crate::Words::Reals($($place)+.as_ref()) };
    (count, $($place:tt)+) => { $crate::Words::Counts(core::slice::from_ref(&$($place)+)) };
}

macro_rules! unique {
    (reals, $($place:tt)+) => { $crate::WordsMut::Reals($($place)+.as_mut()) };
    (count, $($place:tt)+) => { $crate::WordsMut::Counts(core::slice::from_mut(&mut $($place)+)) };
}

/// Implements [`State`] for a type that only passes on the state of its fields.
macro_rules! state_of_fields {
    (impl[$($bound:tt)*] $type:ty { $($field:ident),* }) => {
        impl<$($bound)*> $crate::State<T> for $type {
            fn save<E>(
                &self,
                sink: &mut impl FnMut(&'static str, $crate::Words<'_, T>) -> Result<(), E>,
            ) -> Result<(), E> {
                $($crate::State::<T>::save(&self.$field, sink)?;)*
                Ok(())
            }
            fn load<E>(
                &mut self,
                source: &mut impl FnMut(&'static str, $crate::WordsMut<'_, T>) -> Result<(), E>,
            ) -> Result<(), E> {
                $($crate::State::<T>::load(&mut self.$field, source)?;)*
                Ok(())
            }
        }
    };
}

pub(crate) use {shared, state, state_of_fields, unique};
