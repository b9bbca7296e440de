//! What names mean, and the numbers that registers, labels and variables get.

use std::collections::HashMap;

use super::{Lowering, MAX_MEMORY};
use crate::ast::{Space, Type, Variable};
use crate::error::ParseError;
use crate::program::{Op, Predicate, Register};

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Binding {
    /// A column, with the bits of its type.
    Register(Register, u8),
    Predicate(Predicate),
    Variable {
        space: Space,
        address: u64,
        size: usize,
    },
    /// Memory that the launch adds to the kernel's own shared memory.
    DynamicShared,
    Label(u32),
    Targets(Vec<String>),
}

/// Names of one block.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: HashMap<String, Binding>,
    /// `%r<42>`: registers that get a column when they are first used.
    ranges: HashMap<String, (Type, u32)>,
}

impl Scope {
    pub(super) fn insert(&mut self, name: &str, binding: Binding) {
        self.names.insert(name.to_owned(), binding);
    }
}

impl Lowering<'_> {
    pub(super) fn bind(&mut self, name: &str, binding: Binding) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name, binding);
        }
    }

    pub(super) fn declare_register(&mut self, ty: Type, name: &str, count: Option<u32>) {
        if let Some(scope) = self.scopes.last_mut() {
            // A register without a count is the only one of its range.
            scope.ranges.insert(name.to_owned(), (ty, count.unwrap_or(0)));
        }
    }

    /// The meaning of a name that is not a register used for the first time.
    pub(super) fn lookup(&self, name: &str) -> Option<Binding> {
        self.scopes.iter().rev().find_map(|scope| scope.names.get(name)).cloned()
    }

    /// The meaning of a name.
    pub(super) fn resolve(&mut self, name: &str, line: u32) -> Result<Binding, ParseError> {
        for level in (0..self.scopes.len()).rev() {
            let scope = &self.scopes[level];
            if let Some(binding) = scope.names.get(name) {
                return Ok(binding.clone());
            }
            let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let in_range =
                |&(_, count): &(Type, u32)| name[prefix.len()..].parse().is_ok_and(|n: u32| n < count);
            let alone = |&(_, count): &(Type, u32)| count == 0;
            let declared = scope.ranges.get(name).filter(|r| alone(r));
            if let Some(&(ty, _)) = declared.or_else(|| scope.ranges.get(prefix).filter(|r| in_range(r))) {
                let binding = self.new_register(ty, line)?;
                self.scopes[level].names.insert(name.to_owned(), binding.clone());
                return Ok(binding);
            }
        }
        self.module_variable(name, line)
    }

    fn module_variable(&mut self, name: &str, line: u32) -> Result<Binding, ParseError> {
        let found = self.module.variables.iter().find(|v| v.name == name);
        let variable = found.ok_or_else(|| ParseError::new(line, format!("`{name}` is not declared")))?;
        let size = variable.size;
        match variable.space {
            Space::Shared if variable.external => Ok(Binding::DynamicShared),
            Space::Shared => {
                let address = match self.module_shared.get(name) {
                    Some(&address) => address,
                    None => {
                        let address = reserve(&mut self.shared, variable)?;
                        self.module_shared.insert(name.to_owned(), address);
                        address
                    }
                };
                Ok(Binding::Variable { space: Space::Shared, address, size })
            }
            space => match self.globals.get(name) {
                Some(&address) => Ok(Binding::Variable { space, address, size }),
                None => Err(ParseError::new(
                    line,
                    format!("`{name}` is declared elsewhere and has no memory here"),
                )),
            },
        }
    }

    fn new_register(&mut self, ty: Type, line: u32) -> Result<Binding, ParseError> {
        if ty == Type::Pred {
            let number = Predicate::try_from(self.predicates)
                .map_err(|_| ParseError::new(line, "the kernel uses more than 65535 predicates"))?;
            self.predicates += 1;
            return Ok(Binding::Predicate(number));
        }
        Ok(Binding::Register(self.new_column(line)?, 8 * ty.size() as u8))
    }

    pub(super) fn new_column(&mut self, line: u32) -> Result<Register, ParseError> {
        let number = Register::try_from(self.columns)
            .map_err(|_| ParseError::new(line, "the kernel uses more than 65535 registers"))?;
        self.columns += 1;
        Ok(number)
    }

    pub(super) fn declare_variable(&mut self, variable: &Variable) -> Result<(), ParseError> {
        let size = variable.size;
        let binding = match variable.space {
            Space::Shared if variable.external => Binding::DynamicShared,
            Space::Shared => Binding::Variable {
                space: Space::Shared,
                address: reserve(&mut self.shared, variable)?,
                size,
            },
            // Arguments of calls live in the thread's memory too.
            Space::Local | Space::Param => {
                Binding::Variable { space: Space::Local, address: reserve(&mut self.local, variable)?, size }
            }
            _ => {
                let what =
                    format!("`{}` in a function: only shared, local and param memory can be", variable.name);
                return Err(ParseError::new(variable.line, what));
            }
        };
        self.bind(&variable.name, binding);
        Ok(())
    }

    pub(super) fn new_label(&mut self) -> u32 {
        self.labels.push(None);
        self.labels.len() as u32 - 1
    }

    pub(super) fn set_label(&mut self, label: u32) {
        self.labels[label as usize] = Some(self.code.len() as u32);
    }

    /// Puts positions in the place of labels.
    pub(super) fn place_labels(&mut self, line: u32) -> Result<(), ParseError> {
        let labels = &self.labels;
        let place = |label: &mut u32| match labels.get(*label as usize) {
            Some(&Some(position)) => {
                *label = position;
                Ok(())
            }
            _ => Err(ParseError::new(line, "a branch leads to a label that does not stand anywhere")),
        };
        for instruction in &mut self.code {
            match &mut instruction.op {
                Op::Branch { target } => place(target)?,
                Op::BranchTable { targets, .. } => targets.iter_mut().try_for_each(place)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Takes aligned memory from the end of a space.
fn reserve(end: &mut usize, variable: &Variable) -> Result<u64, ParseError> {
    let address = end.next_multiple_of(variable.align.max(1));
    *end = address + variable.size;
    if *end > MAX_MEMORY {
        let what = format!("`{}` takes the kernel's memory beyond {MAX_MEMORY} bytes", variable.name);
        return Err(ParseError::new(variable.line, what));
    }
    Ok(address as u64)
}
