//! Branches, calls and the ends of threads.

use super::scope::{Binding, Scope};
use super::{Lowering, MAX_CALLS, Request};
use crate::ast::{Operand, Type, Variable};
use crate::error::ParseError;
use crate::program::{Condition, Op};

impl Lowering<'_> {
    /// Lowers an instruction that decides what comes next; `false` if `name` is none.
    pub(super) fn control(&mut self, name: &str, r: &mut Request<'_>) -> Result<bool, ParseError> {
        let op = match name {
            "bra" => {
                // `.uni` promises that the warp stays together, which helps nobody here.
                r.modifiers.take("uni");
                let [target] = r.exactly()?;
                Op::Branch { target: self.label(target, r)? }
            }
            "brx" => {
                r.modifiers.take("idx");
                r.modifiers.take("uni");
                self.branch_table(r)?
            }
            "ret" => {
                r.modifiers.take("uni");
                match self.calls.last() {
                    Some(&(_, end)) => Op::Branch { target: end },
                    None => Op::Exit,
                }
            }
            "exit" => Op::Exit,
            "trap" => Op::Trap,
            "brkpt" => Op::Nop,
            "nanosleep" => {
                r.take_type()?;
                Op::Nop
            }
            "call" => {
                r.modifiers.take("uni");
                return self.call(r).map(|()| true);
            }
            _ => return Ok(false),
        };
        self.emit(op, r.guard, r.line)?;
        Ok(true)
    }

    fn label(&mut self, operand: &Operand, r: &Request<'_>) -> Result<u32, ParseError> {
        match operand {
            Operand::Name(name) => match self.lookup(name) {
                Some(Binding::Label(label)) => Ok(label),
                _ => Err(r.error(&format!("leads to `{name}`, which is no label here"))),
            },
            _ => Err(r.error("needs a label")),
        }
    }

    fn branch_table(&mut self, r: &Request<'_>) -> Result<Op, ParseError> {
        let [index, table] = r.exactly()?;
        let targets = match table {
            Operand::Name(name) => match self.lookup(name) {
                Some(Binding::Targets(targets)) => targets,
                _ => return Err(r.error(&format!("needs a .branchtargets list, found `{name}`"))),
            },
            _ => return Err(r.error("needs a .branchtargets list")),
        };
        let targets = targets.into_iter().map(|name| self.label(&Operand::Name(name), r));
        let targets = targets.collect::<Result<_, _>>()?;
        Ok(Op::BranchTable { index: self.source(index, Type::U32, r)?, targets })
    }

    /// Puts a device function in the place of its call: its parameters are the caller's variables under other names.
    fn call(&mut self, r: &Request<'_>) -> Result<(), ParseError> {
        let empty: &[Operand] = &[];
        let (results, name, arguments) = match r.operands {
            [Operand::Name(name)] => (empty, name, empty),
            [Operand::Name(name), Operand::List(arguments)] => (empty, name, arguments.as_slice()),
            [Operand::List(results), Operand::Name(name)] => (results.as_slice(), name, empty),
            [Operand::List(results), Operand::Name(name), Operand::List(arguments)] => {
                (results.as_slice(), name, arguments.as_slice())
            }
            _ => return Err(r.error("is not a direct call; calls through pointers are not supported")),
        };
        if name == "__assertfail" {
            // What `assert` calls when it does not hold; the device ends the launch too.
            return self.emit(Op::Trap, r.guard, r.line);
        }
        let module = self.module;
        let function = module.functions.iter().find(|f| !f.entry && f.name == *name).ok_or_else(|| {
            r.error(&format!(
                "calls `{name}`, which has no body in this module; only functions with one are supported"
            ))
        })?;
        if self.calls.len() >= MAX_CALLS || self.calls.iter().any(|(caller, _)| caller == name) {
            return Err(r.error(&format!("calls `{name}` from within itself; recursion is not supported")));
        }
        let mut scope = Scope::default();
        self.pass(&mut scope, &function.results, results, r)?;
        self.pass(&mut scope, &function.parameters, arguments, r)?;

        let end = self.new_label();
        if let Some(guard) = r.guard {
            let skip = Condition { negated: !guard.negated, ..guard };
            self.emit(Op::Branch { target: end }, Some(skip), r.line)?;
        }
        let caller = std::mem::replace(&mut self.scopes, vec![scope, Scope::default()]);
        self.calls.push((name.clone(), end));
        self.statements(&function.body)?;
        self.calls.pop();
        self.scopes = caller;
        self.set_label(end);
        Ok(())
    }

    fn pass(
        &mut self,
        scope: &mut Scope,
        formal: &[Variable],
        actual: &[Operand],
        r: &Request<'_>,
    ) -> Result<(), ParseError> {
        if formal.len() != actual.len() {
            return Err(r.error(&format!(
                "passes {} values where {} are declared",
                actual.len(),
                formal.len()
            )));
        }
        for (variable, operand) in formal.iter().zip(actual) {
            let Operand::Name(name) = operand else {
                return Err(r.error("passes what is not a variable in .param memory"));
            };
            match self.resolve(name, r.line)? {
                binding @ Binding::Variable { size, .. } if size >= variable.size => {
                    scope.insert(&variable.name, binding);
                }
                Binding::Variable { size, .. } => {
                    let what = format!(
                        "passes `{name}` of {size} bytes as `{}` of {}",
                        variable.name, variable.size
                    );
                    return Err(r.error(&what));
                }
                _ => {
                    return Err(
                        r.error(&format!("passes `{name}`, which is not a variable in .param memory"))
                    );
                }
            }
        }
        Ok(())
    }
}
