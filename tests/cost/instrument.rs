//! Has a module count its own instructions: each run of them that begins and ends together adds its length to a counter.
//!
//! Trade-off: a runtime's own fuel would be less work, and is no measure: wasmi charges a whole loop for each round, with
//! all branches that it doesn't take, which made a scanner fifty times as dear as it is.

use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType, Instruction, Module,
    ValType,
};
use wasmparser::{ExportSectionReader, FunctionBody, GlobalSectionReader, Operator, Parser};

pub const COUNTER: &str = "counted_instructions";

/// How many bytes are copied or filled for the price of one instruction.
const BYTES_AT_ONCE_LOG2: i32 = 4;

pub fn counting(wasm: &[u8]) -> Vec<u8> {
    let mut module = Module::new();
    Counting::default().parse_core_module(&mut module, Parser::new(0), wasm).expect("a module as rustc makes it");
    module.finish()
}

/// The two globals that were added.
#[derive(Default)]
struct Counting {
    counter: u32,
    spare: u32,
}

impl Reencode for Counting {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_global_section(self, globals, section)?;
        let mut add = |val_type, zero| {
            globals.global(GlobalType { val_type, mutable: true, shared: false }, &zero);
            globals.len() - 1
        };
        self.counter = add(ValType::I64, ConstExpr::i64_const(0));
        self.spare = add(ValType::I32, ConstExpr::i32_const(0));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(COUNTER, ExportKind::Global, self.counter);
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
        Ok(())
    }
}

impl Counting {
    fn write(&mut self, function: &mut Function, run: Vec<Operator<'_>>) -> Result<(), Error<Infallible>> {
        let length = run.iter().filter(|operator| works(operator)).count();
        if length > 0 {
            function.instruction(&Instruction::GlobalGet(self.counter));
            function.instruction(&Instruction::I64Const(i64::try_from(length).expect("a length")));
            function.instruction(&Instruction::I64Add);
            function.instruction(&Instruction::GlobalSet(self.counter));
        }
        for operator in run {
            if matches!(operator, Operator::MemoryCopy { .. } | Operator::MemoryFill { .. }) {
                // Its length is on top of the stack.
                for instruction in [
                    Instruction::GlobalSet(self.spare),
                    Instruction::GlobalGet(self.counter),
                    Instruction::GlobalGet(self.spare),
                    Instruction::I32Const(BYTES_AT_ONCE_LOG2),
                    Instruction::I32ShrU,
                    Instruction::I64ExtendI32U,
                    Instruction::I64Add,
                    Instruction::GlobalSet(self.counter),
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
