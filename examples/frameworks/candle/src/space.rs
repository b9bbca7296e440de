//! candle's variables as storage of parameters.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp3, Layout, Result, Storage, Tensor, Var, WithDType, bail};
use sam_core::formula::{Ascent, DualNorm, NormAccumulator, all_finite};
use sam_core::{ParamSpace, Real, Rule, Verdict};

/// What parameters may be made of: `f32` or `f64`.
pub trait Element: Real + WithDType {
    /// The values of a storage, to be changed; `None` where they are of another type.
    fn values_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

impl Element for f32 {
    fn values_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        if let CpuStorage::F32(values) = storage { Some(values) } else { None }
    }
}

impl Element for f64 {
    fn values_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        if let CpuStorage::F64(values) = storage { Some(values) } else { None }
    }
}

/// [`ParamSpace`] over [`Var`]s, with a [`GradStore`] as the gradient.
///
/// A model holds handles to its variables, so the perturbation happens in their own memory, after a copy of the
/// values into a backup; restoring copies them back. Nothing is gathered into a flat vector. A variable without a
/// gradient is neither perturbed nor part of the norm, in whichever pass it has none; so are variables of integers.
/// Gradients of other variables than the space's are left to the optimizer, unchecked.
///
/// The norm runs through the variables in the order in which they are given, as if they were one vector: give the
/// same order in every run (see [`parameters`](crate::parameters)) and the bits are the same, and the same as any
/// other storage's that uses `sam_core::formula`.
///
/// Memory: one word a weight. Traffic of a step: 1 read for the norm, 1 read and 1 write for the backup, 2 reads and
/// 1 write for the perturbation, 1 and 1 to restore, 1 read for the check; a gradient that does not lie in standard
/// order is copied once more for each of them.
#[derive(Debug)]
pub struct CandleSpace<T> {
    /// The variables themselves: whose gradients to look at, in which order.
    vars: Vec<Var>,
    backup: Vec<Var>,
    /// The variables are perturbed and the backup has their values.
    up: bool,
    element: PhantomData<T>,
}

impl<T: Element> CandleSpace<T> {
    /// A space for these variables, in this order. Allocates the backup.
    ///
    /// # Errors
    /// For a variable of another floating-point type than `T`, not in standard order, or not in the CPU's memory.
    pub fn new(vars: &[Var]) -> Result<Self> {
        let backup = |var: &Var| {
            if !var.device().is_cpu() {
                bail!(
                    "expected parameters in the CPU's memory, found {:?}: create them on Device::Cpu",
                    var.device().location()
                );
            }
            match var.dtype() {
                found if found == T::DTYPE || !found.is_float() => {}
                found @ (DType::F32 | DType::F64) => bail!(
                    "expected parameters of type {:?}, found {found:?}: make a CandleSpace of the parameters' type",
                    T::DTYPE
                ),
                found => bail!(
                    "expected parameters of type {:?}, found {found:?}: keep them in full precision and cast them \
                     where the model uses them, since most half-precision weights would not move by rho / sqrt(n)",
                    T::DTYPE
                ),
            }
            if !var.is_contiguous() {
                bail!("expected parameters in standard order, found strides {:?}", var.stride());
            }
            Var::zeros(var.shape(), var.dtype(), var.device())
        };
        let backup = vars.iter().map(backup).collect::<Result<_>>()?;
        Ok(Self { vars: vars.to_vec(), backup, up: false, element: PhantomData })
    }

    /// The variables that are perturbed, in their order.
    pub(crate) fn vars(&self) -> &[Var] {
        &self.vars
    }

    fn check_count(&self, w: &[Var]) -> Result<()> {
        if w.len() != self.backup.len() {
            bail!(
                "expected {} variables, as given to CandleSpace::new, found {}",
                self.backup.len(),
                w.len()
            );
        }
        Ok(())
    }
}

/// Calls `visit` with the position of each variable that has a gradient, the variable and the gradient.
fn each<T: Element>(
    w: &[Var],
    g: &GradStore,
    mut visit: impl FnMut(usize, &Var, &Tensor) -> Result<()>,
) -> Result<()> {
    for (position, var) in w.iter().enumerate().filter(|(_, var)| var.dtype() == T::DTYPE) {
        if let Some(g) = g.get(var) {
            if g.shape() != var.shape() {
                bail!(
                    "expected a gradient of shape {:?}, its variable's, found {:?}",
                    var.shape(),
                    g.shape()
                );
            }
            visit(position, var, &g.contiguous()?)?;
        }
    }
    Ok(())
}

/// The values of a tensor in standard order, where they are.
pub(crate) fn with_values<T: Element, R>(tensor: &Tensor, use_them: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(use_them(part(T::cpu_storage_as_slice(storage)?, layout)?)),
        _ => bail!("expected a tensor in the CPU's memory, found {:?}", tensor.device().location()),
    }
}

fn part<'a, T>(values: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("expected a tensor in standard order, found strides {:?}", layout.stride()),
    }
}

/// `w = backup + eps` in the variable's own memory.
struct Perturb<T> {
    ascent: Ascent<T>,
    /// Of the variable's first value in the whole parameter vector.
    offset: usize,
}

impl<T: Element> InplaceOp3 for Perturb<T> {
    fn name(&self) -> &'static str {
        "sam-perturb"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        w_layout: &Layout,
        backup: &CpuStorage,
        backup_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<()> {
        let (Some(w), Some((start, end))) = (T::values_mut(w), w_layout.contiguous_offsets()) else {
            bail!("expected a variable of type {:?} in standard order, found another", T::DTYPE);
        };
        let backup = part(T::cpu_storage_as_slice(backup)?, backup_layout)?;
        let g = part(T::cpu_storage_as_slice(g)?, g_layout)?;
        self.ascent.write(self.offset, backup, g, &mut w[start..end]);
        Ok(())
    }
}

impl<T: Element> ParamSpace for CandleSpace<T> {
    type Params = [Var];
    type Grads = GradStore;
    type Scalar = T;
    type Norm = DualNorm;
    type Error = candle_core::Error;

    fn dual_norm(&mut self, w: &[Var], g: &GradStore, rule: &Rule<T>) -> Result<DualNorm> {
        self.check_count(w)?;
        let mut accumulator = NormAccumulator::new(rule);
        loop {
            each::<T>(w, g, |_, w, g| with_values(w, |w| with_values(g, |g| accumulator.push(w, g)))?)?;
            match accumulator.finish() {
                ControlFlow::Break(norm) => return Ok(norm),
                ControlFlow::Continue(next) => accumulator = next,
            }
        }
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(&mut self, w: &mut [Var], g: &GradStore, rule: &Rule<T>, norm: &DualNorm) -> Result<()> {
        self.check_count(w)?;
        self.restore(w)?;
        let ascent = Ascent::new(rule, norm);
        if ascent == Ascent::Stay {
            return Ok(());
        }
        for (var, backup) in w.iter().zip(&self.backup) {
            backup.set(var)?;
        }
        self.up = true;
        let mut offset = 0;
        let backup = &self.backup;
        each::<T>(w, g, |position, w, g| {
            w.inplace_op3(&backup[position], g, &Perturb { ascent, offset })?;
            offset += w.elem_count();
            Ok(())
        })
    }

    /// Perturbed where they are: the variables are part of the model.
    fn perturbed<'a>(&'a self, w: &'a [Var]) -> &'a [Var] {
        w
    }

    fn restore(&mut self, w: &mut [Var]) -> Result<()> {
        if self.up {
            self.check_count(w)?;
            for (var, backup) in w.iter().zip(&self.backup) {
                var.set(backup)?;
            }
            self.up = false;
        }
        Ok(())
    }

    fn check(&mut self, g: &GradStore) -> Result<Verdict> {
        let mut finite = true;
        each::<T>(&self.vars, g, |_, _, g| {
            finite = finite && with_values(g, all_finite::<T>)?;
            Ok(())
        })?;
        Ok(if finite { Verdict::Finite } else { Verdict::NonFinite })
    }
}
