//! Envoy, as far as the `.wasm` sees of it, in a runtime that counts: host calls, the bytes that cross, instructions.
//!
//! Trade-off: one stream at a time, and no more of Envoy's behaviour than these exchanges meet. What the filter does there
//! is tested elsewhere; here it is only counted, on the very file that ships.

use crate::instrument::{Run, counter, counting, mark};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::AddAssign;
use wasmi::{Caller, Engine, Error, ExternType, Global, Instance, Linker, Memory, Module, Store, TypedFunc, Val};

const OK: i32 = 0;
const NOT_FOUND: i32 = 1;
const BAD_ARGUMENT: i32 = 2;
const CAS_MISMATCH: i32 = 8;

pub type Headers = Vec<(String, Vec<u8>)>;

/// What was counted while callbacks ran.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub callbacks: u64,
    /// By name.
    pub calls: BTreeMap<&'static str, u64>,
    /// How often the host had the filter allocate memory for what it hands over: one more entry into the VM each time.
    pub handed: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub instructions: u64,
}

impl Tally {
    pub fn host_calls(&self) -> u64 {
        self.calls.values().sum()
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.callbacks += other.callbacks;
        self.handed += other.handed;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.instructions += other.instructions;
        for (call, count) in &other.calls {
            *self.calls.entry(call).or_default() += count;
        }
    }
}

impl Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { callbacks, handed, bytes_in, bytes_out, instructions, .. } = self;
        write!(
            out,
            "{callbacks:>6} {instructions:>12} {:>8} {handed:>8} {bytes_in:>9} {bytes_out:>9}",
            self.host_calls()
        )?;
        self.calls.iter().try_for_each(|(call, count)| write!(out, "  {count} {}", call.trim_start_matches("proxy_")))
    }
}

/// One direction of the stream at hand.
#[derive(Default)]
pub struct Side {
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Default)]
pub struct Stream {
    pub request: Side,
    pub answer: Side,
    /// By their path, joined by dots.
    pub attributes: BTreeMap<String, Vec<u8>>,
    /// The filter's own answer, which has yet to go past it.
    pub reply: Option<(u32, Vec<u8>)>,
}

struct Guest {
    memory: Memory,
    allocate: TypedFunc<u32, u32>,
}

#[derive(Default)]
pub struct Host {
    guest: Option<Guest>,
    pub clock: u64,
    pub stream: Stream,
    pub log: Vec<String>,
    configuration: Vec<u8>,
    shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
    last_question: u32,
    /// Of the filter to Envoy's admin, which has yet to be answered.
    question: Option<u32>,
    metrics: Vec<u64>,
    tally: Tally,
}

impl Host {
    fn side(&mut self, map: u64) -> Option<&mut Side> {
        match map {
            0 => Some(&mut self.stream.request),
            2 => Some(&mut self.stream.answer),
            _ => None,
        }
    }

    fn buffer(&mut self, buffer: u64) -> Option<&mut Vec<u8>> {
        match buffer {
            0 => Some(&mut self.stream.request.body),
            1 => Some(&mut self.stream.answer.body),
            7 => Some(&mut self.configuration),
            _ => None,
        }
    }

    /// 0 is unconditional, an absent key takes any number, and each write takes a new one.
    fn swap(&mut self, key: Vec<u8>, value: Vec<u8>, cas: u64) -> i32 {
        if self.shared.get(&key).is_some_and(|(_, current)| cas != 0 && cas != u64::from(*current)) {
            return CAS_MISMATCH;
        }
        self.last_cas += 1;
        self.shared.insert(key, (value, self.last_cas));
        OK
    }
}

/// A host call under way: it moves bytes over the boundary, and counts them.
struct Call<'a> {
    caller: Caller<'a, Host>,
    memory: Memory,
    allocate: TypedFunc<u32, u32>,
}

impl Call<'_> {
    fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    fn read(&mut self, at: u64, size: u64) -> Vec<u8> {
        let mut bytes = vec![0; size as usize];
        self.memory.read(&self.caller, at as usize, &mut bytes).expect("the filter's own memory");
        self.host().tally.bytes_out += size;
        bytes
    }

    fn text(&mut self, at: u64, size: u64) -> String {
        String::from_utf8(self.read(at, size)).expect("UTF-8, as the SDK sends")
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        self.memory.write(&mut self.caller, at as usize, bytes).expect("the filter's own memory");
    }

    /// Nothing is a null pointer, as in Envoy.
    fn hand_over(&mut self, bytes: Option<Vec<u8>>, data: u64, size: u64) -> Result<i32, Error> {
        let Some(bytes) = bytes else { return Ok(NOT_FOUND) };
        let length = u32::try_from(bytes.len()).expect("less than 4 GiB");
        let mut at = 0;
        if length > 0 {
            at = self.allocate.call(&mut self.caller, length)?;
            self.write(at.into(), &bytes);
            let tally = &mut self.host().tally;
            tally.handed += 1;
            tally.bytes_in += u64::from(length);
        }
        self.write(data, &at.to_le_bytes());
        self.write(size, &length.to_le_bytes());
        Ok(OK)
    }

    fn answer(&mut self, name: &'static str, arguments: &[u64]) -> Result<i32, Error> {
        *self.host().tally.calls.entry(name).or_default() += 1;
        match (name, arguments) {
            ("proxy_log", [_, text, size]) => {
                let line = self.text(*text, *size);
                self.host().log.push(line);
            }
            ("proxy_get_current_time_nanoseconds", [time]) => {
                let now = self.host().clock.to_le_bytes();
                self.write(*time, &now);
            }
            ("proxy_get_buffer_bytes", [buffer, start, length, data, size]) => {
                let found = self.host().buffer(*buffer).map(|bytes| {
                    let end = bytes.len().min(start.saturating_add(*length) as usize);
                    bytes.get(*start as usize..end).unwrap_or_default().to_vec()
                });
                return self.hand_over(found, *data, *size);
            }
            ("proxy_set_buffer_bytes", [buffer, start, length, data, size]) => {
                let new = self.read(*data, *size);
                let Some(bytes) = self.host().buffer(*buffer) else { return Ok(BAD_ARGUMENT) };
                if *start == 0 {
                    bytes.splice(..bytes.len().min(*length as usize), new);
                } else {
                    bytes.extend(new);
                }
            }
            ("proxy_get_header_map_pairs", [map, data, size]) => {
                let found = self.host().side(*map).map(|side| serialized(&side.headers));
                return self.hand_over(found, *data, *size);
            }
            ("proxy_get_header_map_value", [map, name, name_size, data, size]) => {
                let name = self.text(*name, *name_size);
                let side = self.host().side(*map);
                let found = side.and_then(|side| side.headers.iter().find(|(known, _)| *known == name));
                let found = found.map(|(_, value)| value.clone());
                return self.hand_over(found, *data, *size);
            }
            ("proxy_replace_header_map_value", [map, name, name_size, value, value_size]) => {
                let (name, value) = (self.text(*name, *name_size), self.read(*value, *value_size));
                let Some(side) = self.host().side(*map) else { return Ok(BAD_ARGUMENT) };
                side.headers.retain(|(known, _)| *known != name);
                side.headers.push((name, value));
            }
            ("proxy_add_header_map_value", [map, name, name_size, value, value_size]) => {
                let (name, value) = (self.text(*name, *name_size), self.read(*value, *value_size));
                let Some(side) = self.host().side(*map) else { return Ok(BAD_ARGUMENT) };
                side.headers.push((name, value));
            }
            ("proxy_remove_header_map_value", [map, name, name_size]) => {
                let name = self.text(*name, *name_size);
                let Some(side) = self.host().side(*map) else { return Ok(BAD_ARGUMENT) };
                side.headers.retain(|(known, _)| *known != name);
            }
            ("proxy_set_header_map_pairs", [map, data, size]) => {
                let headers = deserialized(&self.read(*data, *size));
                let Some(side) = self.host().side(*map) else { return Ok(BAD_ARGUMENT) };
                side.headers = headers;
            }
            ("proxy_get_property", [path, path_size, data, size]) => {
                let path = self.text(*path, *path_size).replace('\0', ".");
                let found = self.host().stream.attributes.get(&path).cloned();
                return self.hand_over(found, *data, *size);
            }
            ("proxy_set_property", [path, path_size, value, value_size]) => {
                let (name, value) = (self.text(*path, *path_size), self.read(*value, *value_size));
                self.host().stream.attributes.insert(format!("filter_state.wasm.{name}"), value);
            }
            ("proxy_get_shared_data", [key, key_size, data, size, cas]) => {
                let key = self.read(*key, *key_size);
                let found = self.host().shared.get(&key).cloned();
                let found = found.map(|(value, number)| {
                    self.write(*cas, &number.to_le_bytes());
                    value
                });
                return self.hand_over(found, *data, *size);
            }
            ("proxy_set_shared_data", [key, key_size, value, value_size, cas]) => {
                let (key, value) = (self.read(*key, *key_size), self.read(*value, *value_size));
                return Ok(self.host().swap(key, value, *cas));
            }
            ("proxy_define_metric", [_, name, name_size, id]) => {
                self.read(*name, *name_size);
                let metrics = &mut self.host().metrics;
                metrics.push(0);
                let new = u32::try_from(metrics.len()).expect("few metrics").to_le_bytes();
                self.write(*id, &new);
            }
            ("proxy_get_metric", [id, value]) => {
                let Some(known) = self.host().metrics.get(*id as usize - 1).copied() else { return Ok(NOT_FOUND) };
                self.write(*value, &known.to_le_bytes());
            }
            ("proxy_increment_metric", [id, by]) => {
                let Some(metric) = self.host().metrics.get_mut(*id as usize - 1) else { return Ok(NOT_FOUND) };
                *metric = metric.wrapping_add(*by);
            }
            ("proxy_record_metric", [id, value]) => {
                let Some(metric) = self.host().metrics.get_mut(*id as usize - 1) else { return Ok(NOT_FOUND) };
                *metric = *value;
            }
            ("proxy_send_local_response", [code, details, details_size, body, body_size, headers, headers_size, _]) => {
                self.read(*details, *details_size);
                self.read(*headers, *headers_size);
                let body = self.read(*body, *body_size);
                self.host().stream.reply = Some((u32::try_from(*code).expect("a status"), body));
            }
            ("proxy_http_call", [_, _, _, _, _, _, _, _, _, call]) => {
                self.host().last_question += 1;
                let number = self.host().last_question.to_le_bytes();
                self.host().question = Some(self.host().last_question);
                self.write(*call, &number);
            }
            ("random_get", [data, size]) => self.write(*data, &vec![7; *size as usize]),
            ("environ_sizes_get", [count, size]) => {
                self.write(*count, &[0; 4]);
                self.write(*size, &[0; 4]);
            }
            ("proxy_set_tick_period_milliseconds" | "proxy_set_effective_context" | "environ_get", _) => {}
            _ => return Err(Error::new(format!("{name} is not part of this host; its log: {:?}", self.host().log))),
        }
        Ok(OK)
    }
}

/// How many, the lengths of each name and value, then both, each with a zero behind it.
fn serialized(headers: &Headers) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a short header").to_le_bytes();
    let mut out = u32::try_from(headers.len()).expect("few headers").to_le_bytes().to_vec();
    for (name, value) in headers {
        out.extend(length(name.as_bytes()));
        out.extend(length(value));
    }
    for part in headers.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
        out.extend(part);
        out.push(0);
    }
    out
}

fn deserialized(bytes: &[u8]) -> Headers {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let mut text = 4 + 8 * number(0);
    let mut next = |length: usize| {
        let part = bytes[text..text + length].to_vec();
        text += length + 1;
        part
    };
    let header = |nth: usize| {
        let name = String::from_utf8(next(number(4 + 8 * nth))).expect("a header's name");
        (name, next(number(8 + 8 * nth)))
    };
    (0..number(0)).map(header).collect()
}

/// The module of a filter, made to count.
pub struct Code {
    engine: Engine,
    module: Module,
    runs: Vec<Run>,
}

impl Code {
    pub fn read(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let (wasm, runs) = counting(wasm);
        let module = Module::new(&engine, wasm).expect("a module");
        Self { engine, module, runs }
    }
}

/// A VM with one or more plugins in it, as one worker of Envoy has.
pub struct Vm {
    store: Store<Host>,
    instance: Instance,
    /// Of each function.
    counters: Vec<Global>,
    /// Whether each was run.
    marks: Vec<(Global, Run)>,
    last_context: u32,
    /// In order, since they were last taken.
    told: Vec<(&'static str, Tally)>,
}

impl Vm {
    pub fn start(Code { engine, module, runs }: &Code) -> Self {
        let mut linker = <Linker<Host>>::new(engine);
        for import in module.imports() {
            let ExternType::Func(kind) = import.ty() else { continue };
            // Few, and needed until the end.
            let name: &'static str = import.name().to_owned().leak();
            let answer = move |caller: Caller<'_, Host>, arguments: &[Val], results: &mut [Val]| {
                let arguments: Vec<u64> = arguments.iter().map(number).collect();
                let guest = caller.data().guest.as_ref().expect("an instance that was set up");
                let (memory, allocate) = (guest.memory, guest.allocate);
                let status = Call { caller, memory, allocate }.answer(name, &arguments)?;
                results.iter_mut().for_each(|result| *result = Val::I32(status));
                Ok(())
            };
            linker.func_new(import.module(), name, kind.clone(), answer).expect("an import of its own");
        }
        let mut store = Store::new(engine, Host { clock: 1_800_000_000_000_000_000, ..Host::default() });
        let instance = linker.instantiate_and_start(&mut store, module).expect("an instance");
        let memory = instance.get_memory(&store, "memory").expect("a memory");
        let allocate = instance.get_typed_func(&store, "proxy_on_memory_allocate").expect("an allocator");
        store.data_mut().guest = Some(Guest { memory, allocate });
        let counters = (0..).map_while(|nth| instance.get_global(&store, &counter(nth))).collect();
        let marks =
            runs.iter().enumerate().filter_map(|(nth, run)| Some((instance.get_global(&store, &mark(nth))?, *run)));
        let marks = marks.collect();
        let mut vm = Self { store, instance, counters, marks, last_context: 0, told: Vec::new() };
        vm.call("_initialize", &[]);
        vm
    }

    pub fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    pub fn memory_bytes(&self) -> u64 {
        let guest = self.store.data().guest.as_ref().expect("an instance that was set up");
        guest.memory.data_size(&self.store) as u64
    }

    /// One callback of the filter, counted; its answer.
    pub fn call(&mut self, callback: &'static str, arguments: &[u32]) -> u32 {
        let before = self.instructions();
        let function = self.instance.get_func(&self.store, callback).expect(callback);
        let arguments: Vec<_> = arguments.iter().map(|argument| Val::I32(argument.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        if let Err(error) = function.call(&mut self.store, &arguments, &mut results) {
            panic!("{callback}: {error}; {:?}", self.store.data().log);
        }
        let tally = std::mem::take(&mut self.store.data_mut().tally);
        self.told.push((callback, Tally { callbacks: 1, instructions: self.instructions() - before, ..tally }));
        results.first().map_or(0, |result| number(result) as u32)
    }

    fn instructions(&self) -> u64 {
        self.spent().iter().sum()
    }

    /// Instructions of each function so far.
    pub fn spent(&self) -> Vec<u64> {
        self.counters.iter().map(|counter| number(&counter.get(&self.store))).collect()
    }

    /// How many different instructions of each function were run since the last time, each counted once.
    pub fn different(&mut self) -> Vec<u64> {
        let mut counts = vec![0; self.counters.len()];
        for (mark, Run { function, length }) in &self.marks {
            if number(&mark.get(&self.store)) == 1 {
                counts[*function as usize] += length;
                mark.set(&mut self.store, Val::I32(0)).expect("a mark");
            }
        }
        counts
    }

    /// What the callbacks since the last time came to, one by one.
    pub fn told(&mut self) -> Vec<(&'static str, Tally)> {
        std::mem::take(&mut self.told)
    }

    pub fn new_context(&mut self, parent: u32) -> u32 {
        self.last_context += 1;
        self.call("proxy_on_context_create", &[self.last_context, parent]);
        self.last_context
    }

    /// A second has gone by for a plugin. Envoy's admin, if that asks it, does not answer.
    pub fn tick(&mut self, root: u32) {
        self.call("proxy_on_tick", &[root]);
        if let Some(question) = self.host().question.take() {
            self.call("proxy_on_http_call_response", &[root, question, 0, 0, 0]);
        }
    }

    /// A plugin of this configuration, which must be accepted.
    pub fn plugin(&mut self, configuration: &Value) -> u32 {
        let root = self.new_context(0);
        let configuration = configuration.to_string().into_bytes();
        let size = u32::try_from(configuration.len()).expect("less than 4 GiB");
        self.host().configuration = configuration;
        assert_eq!(self.call("proxy_on_configure", &[root, size]), 1, "refused: {:?}", self.host().log);
        root
    }
}

fn number(value: &Val) -> u64 {
    match value {
        Val::I32(number) => u64::from(number.cast_unsigned()),
        Val::I64(number) => number.cast_unsigned(),
        other => panic!("{other:?} is not part of the ABI"),
    }
}
