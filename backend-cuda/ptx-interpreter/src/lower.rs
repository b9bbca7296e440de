//! From the tree to what is executed: names become numbers, device functions are put in place of their calls.

mod arithmetic;
mod collective;
mod control;
mod matrix;
mod memory;
mod operand;
mod scope;

use std::collections::HashMap;

use crate::ast::{Function, Module, Operand, Space, Statement, Type, Variable};
use crate::error::ParseError;
use crate::modifiers::Modifiers;
use crate::program::{Condition, FREE_PREDICATE, Instruction, Kernel, Op, Register, Special};
use scope::{Binding, Scope};

/// Instructions that one kernel may have with all its functions in place.
const MAX_CODE: usize = 1 << 20;
/// Bytes of shared memory, and of local memory for a thread, that a kernel may declare: the most that a device has.
const MAX_MEMORY: usize = 512 << 10;
/// Functions inside functions; deeper is taken for recursion, which has no place to be put.
const MAX_CALLS: usize = 32;

/// Addresses of the variables that outlive a kernel.
pub type Globals = HashMap<String, u64>;

/// Makes a kernel executable.
///
/// # Errors
/// The first instruction that the interpreter does not have, with its line.
pub fn lower(module: &Module, kernel: &Function, globals: &Globals) -> Result<Kernel, ParseError> {
    let mut lowering = Lowering::new(module, globals);
    let parameters = lowering.parameters(&kernel.parameters)?;
    lowering.statements(&kernel.body)?;
    lowering.emit(Op::Exit, None, kernel.line)?;
    lowering.place_labels(kernel.line)?;
    Ok(Kernel {
        name: kernel.name.clone(),
        parameters,
        code: lowering.code,
        columns: lowering.columns,
        predicates: lowering.predicates,
        constants: lowering.constants.into_iter().map(|(value, register)| (register, value)).collect(),
        specials: lowering.specials.into_iter().map(|(special, register)| (register, special)).collect(),
        shared: lowering.shared,
        local: lowering.local,
        max_threads: kernel.max_threads,
    })
}

struct Lowering<'a> {
    module: &'a Module,
    globals: &'a Globals,
    code: Vec<Instruction>,
    /// Scopes of the function being lowered, innermost last.
    scopes: Vec<Scope>,
    /// Functions being put in place, outermost first, each with the label of its end.
    calls: Vec<(String, u32)>,
    /// Position of each label once it is known.
    labels: Vec<Option<u32>>,
    columns: usize,
    predicates: usize,
    constants: HashMap<u64, Register>,
    specials: HashMap<Special, Register>,
    shared: usize,
    local: usize,
    /// Shared variables outside functions that this kernel uses.
    module_shared: HashMap<String, u64>,
}

impl<'a> Lowering<'a> {
    fn new(module: &'a Module, globals: &'a Globals) -> Self {
        Self {
            module,
            globals,
            code: Vec::new(),
            scopes: vec![Scope::default()],
            calls: Vec::new(),
            labels: Vec::new(),
            columns: 0,
            predicates: usize::from(FREE_PREDICATE),
            constants: HashMap::new(),
            specials: HashMap::new(),
            shared: 0,
            local: 0,
            module_shared: HashMap::new(),
        }
    }

    /// Lays out a kernel's parameters.
    fn parameters(&mut self, variables: &[Variable]) -> Result<Vec<(usize, usize)>, ParseError> {
        let mut end = 0usize;
        let mut out = Vec::new();
        for variable in variables {
            let offset = end.next_multiple_of(variable.align.max(1));
            end = offset + variable.size;
            if end > 1 << 15 {
                return Err(ParseError::new(variable.line, "parameters of more than 32 KiB"));
            }
            out.push((offset, variable.size));
            let binding =
                Binding::Variable { space: Space::Param, address: offset as u64, size: variable.size };
            self.bind(&variable.name, binding);
        }
        Ok(out)
    }

    fn emit(&mut self, op: Op, guard: Option<Condition>, line: u32) -> Result<(), ParseError> {
        if self.code.len() >= MAX_CODE {
            return Err(ParseError::new(line, format!("the kernel has more than {MAX_CODE} instructions")));
        }
        self.code.push(Instruction { op, guard, line });
        Ok(())
    }

    fn statements(&mut self, statements: &[Statement]) -> Result<(), ParseError> {
        // Names are known in the whole block, labels also before they stand.
        for statement in statements {
            match statement {
                Statement::Register(ty, name, count) => self.declare_register(*ty, name, *count),
                Statement::Variable(variable) => self.declare_variable(variable)?,
                Statement::Label(name, _) => {
                    let label = self.new_label();
                    self.bind(name, Binding::Label(label));
                }
                Statement::Targets(name, targets, _) => self.bind(name, Binding::Targets(targets.clone())),
                _ => {}
            }
        }
        for statement in statements {
            match statement {
                Statement::Label(name, line) => {
                    let Some(Binding::Label(label)) = self.lookup(name) else {
                        return Err(ParseError::new(
                            *line,
                            format!("label {name} is declared as something else too"),
                        ));
                    };
                    self.set_label(label);
                }
                Statement::Instruction(instruction) => self.instruction(instruction)?,
                Statement::Block(inner) => {
                    self.scopes.push(Scope::default());
                    self.statements(inner)?;
                    self.scopes.pop();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &crate::ast::Instruction) -> Result<(), ParseError> {
        let line = instruction.line;
        let guard = match &instruction.guard {
            Some((name, negated)) => {
                Some(Condition { predicate: self.predicate(name, line)?, negated: *negated })
            }
            None => None,
        };
        let (name, modifiers) = Modifiers::of(&instruction.opcode);
        let mut request =
            Request { line, guard, opcode: &instruction.opcode, modifiers, operands: &instruction.operands };
        let done = self.control(name, &mut request)?
            || self.memory(name, &mut request)?
            || self.collective(name, &mut request)?
            || self.arithmetic(name, &mut request)?;
        if !done {
            return Err(request.error("is not an instruction that the interpreter has"));
        }
        match request.modifiers.rest() {
            [] => Ok(()),
            rest => Err(request
                .error(&format!("has modifiers that the interpreter does not have: .{}", rest.join(".")))),
        }
    }
}

/// An instruction while it is lowered.
struct Request<'a> {
    line: u32,
    guard: Option<Condition>,
    opcode: &'a str,
    modifiers: Modifiers<'a>,
    operands: &'a [Operand],
}

impl<'a> Request<'a> {
    fn error(&self, what: &str) -> ParseError {
        ParseError::new(self.line, format!("`{}` {what}", self.opcode))
    }

    /// The operands, if there are as many as expected.
    fn exactly<const N: usize>(&self) -> Result<&'a [Operand; N], ParseError> {
        self.operands
            .try_into()
            .map_err(|_| self.error(&format!("takes {N} operands, found {}", self.operands.len())))
    }

    /// The type among the modifiers.
    fn take_type(&mut self) -> Result<Type, ParseError> {
        self.modifiers.take_type().ok_or_else(|| self.error("has no type"))
    }
}
