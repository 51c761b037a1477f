//! Has a module count its own instructions, function by function: each run of them that begins and ends together adds its
//! length to a counter.
//!
//! Trade-off: a runtime's own fuel would be less work, and is no measure: wasmi charges a whole loop for each round, with
//! all branches that it doesn't take, which made a scanner fifty times as dear as it is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    Instruction, Module, ValType,
};
use wasmparser::{
    BinaryReader, ExportSectionReader, FunctionBody, FunctionSectionReader, GlobalSectionReader, Name,
    NameSectionReader, Operator, Parser, Payload, TypeRef,
};

/// The export with the counter of a function of the module's own, by its place among them.
pub fn counter(nth: u32) -> String {
    format!("counted_{nth}")
}

/// The export that is 1 once a run was run, by its place among all.
pub fn mark(nth: usize) -> String {
    format!("ran_{nth}")
}

/// How many bytes are copied or filled for the price of one instruction.
const BYTES_AT_ONCE_LOG2: i32 = 4;

/// A run of instructions: the function that it is of, and how many they are.
#[derive(Clone, Copy)]
pub struct Run {
    pub function: u32,
    pub length: u64,
}

/// The module that counts, and its runs.
pub fn counting(wasm: &[u8]) -> (Vec<u8>, Vec<Run>) {
    let parsed = |counting: &mut Counting| {
        let mut module = Module::new();
        counting.parse_core_module(&mut module, Parser::new(0), wasm).expect("a module as rustc makes it");
        module.finish()
    };
    // Globals come before the code in a module: how many runs there are is known only when all of it was gone through.
    let mut first = Counting::default();
    parsed(&mut first);
    let mut counting =
        Counting { marks: u32::try_from(first.runs.len()).expect("a module of 4 GiB"), ..Counting::default() };
    (parsed(&mut counting), counting.runs)
}

/// The globals that are added: a counter for each function, room for a length, and a mark for each run.
#[derive(Default)]
struct Counting {
    functions: u32,
    first: u32,
    spare: u32,
    marks: u32,
    /// The function at hand.
    nth: u32,
    runs: Vec<Run>,
}

impl Reencode for Counting {
    type Error = Infallible;

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        self.functions = section.count();
        utils::parse_function_section(self, functions, section)
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_global_section(self, globals, section)?;
        self.first = globals.len();
        let mut add = |val_type, zero| {
            globals.global(GlobalType { val_type, mutable: true, shared: false }, &zero);
        };
        for _ in 0..self.functions {
            add(ValType::I64, ConstExpr::i64_const(0));
        }
        add(ValType::I32, ConstExpr::i32_const(0));
        for _ in 0..self.marks {
            add(ValType::I32, ConstExpr::i32_const(0));
        }
        self.spare = self.first + self.functions;
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_export_section(self, exports, section)?;
        for nth in 0..self.functions {
            exports.export(&counter(nth), ExportKind::Global, self.first + nth);
        }
        for (nth, global) in (self.spare + 1..).take(self.marks as usize).enumerate() {
            exports.export(&mark(nth), ExportKind::Global, global);
        }
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error<Infallible>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut run = Vec::new();
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            let ends = ends_run(&operator);
            run.push(operator);
            if ends {
                self.write(&mut function, std::mem::take(&mut run))?;
            }
        }
        code.function(&function);
        self.nth += 1;
        Ok(())
    }
}

impl Counting {
    fn write(&mut self, function: &mut Function, run: Vec<Operator<'_>>) -> Result<(), Error<Infallible>> {
        let counter = self.first + self.nth;
        let length = run.iter().filter(|operator| works(operator)).count();
        if length > 0 {
            let mark = self.spare + 1 + u32::try_from(self.runs.len()).expect("a module of 4 GiB");
            self.runs.push(Run { function: self.nth, length: length as u64 });
            function.instruction(&Instruction::I32Const(1));
            function.instruction(&Instruction::GlobalSet(mark));
            function.instruction(&Instruction::GlobalGet(counter));
            function.instruction(&Instruction::I64Const(i64::try_from(length).expect("a length")));
            function.instruction(&Instruction::I64Add);
            function.instruction(&Instruction::GlobalSet(counter));
        }
        for operator in run {
            if matches!(operator, Operator::MemoryCopy { .. } | Operator::MemoryFill { .. }) {
                // Its length is on top of the stack.
                for instruction in [
                    Instruction::GlobalSet(self.spare),
                    Instruction::GlobalGet(counter),
                    Instruction::GlobalGet(self.spare),
                    Instruction::I32Const(BYTES_AT_ONCE_LOG2),
                    Instruction::I32ShrU,
                    Instruction::I64ExtendI32U,
                    Instruction::I64Add,
                    Instruction::GlobalSet(counter),
                    Instruction::GlobalGet(self.spare),
                ] {
                    function.instruction(&instruction);
                }
            }
            function.instruction(&self.instruction(operator)?);
        }
        Ok(())
    }
}

/// What its own functions are called, where the module says it.
pub fn names(wasm: &[u8]) -> BTreeMap<u32, String> {
    let mut imported = 0;
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(imports) => {
                let functions = imports.into_iter().flatten().filter(|import| matches!(import.ty, TypeRef::Func(_)));
                imported = u32::try_from(functions.count()).expect("few imports");
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                let reader = NameSectionReader::new(BinaryReader::new(section.data(), section.data_offset()));
                for name in reader.into_iter().map_while(Result::ok) {
                    let Name::Function(map) = name else { continue };
                    let own = map.into_iter().flatten().filter(|naming| naming.index >= imported);
                    names.extend(own.map(|naming| (naming.index - imported, demangle(naming.name))));
                }
            }
            _ => {}
        }
    }
    names
}

/// Without the hash at its end.
fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Behind these, something else may come next, or come here from elsewhere.
fn ends_run(operator: &Operator<'_>) -> bool {
    use Operator::{Br, BrIf, BrTable, Else, End, If, Loop, Return, Unreachable};
    matches!(
        operator,
        Br { .. } | BrIf { .. } | BrTable { .. } | Else | End | If { .. } | Loop { .. } | Return | Unreachable
    )
}

/// What only names a value or a place is no work: a compiler makes nothing of it.
fn works(operator: &Operator<'_>) -> bool {
    use Operator::{Block, Drop, Else, End, LocalGet, LocalSet, LocalTee, Loop, Nop};
    use Operator::{F32Const, F64Const, I32Const, I64Const};
    !matches!(
        operator,
        Block { .. }
            | Loop { .. }
            | Else
            | End
            | Nop
            | Drop
            | LocalGet { .. }
            | LocalSet { .. }
            | LocalTee { .. }
            | I32Const { .. }
            | I64Const { .. }
            | F32Const { .. }
            | F64Const { .. }
    )
}
