//! Envoy, as far as the filter can see of it, in the test's own process: the real SDK and the real contexts run on it.
//!
//! It does as Envoy does where a filter could notice (swaps, buffers, header maps and their phases,
//! metrics), and knows nothing of the network. Tests look at the state it ends in, never at the order
//! of calls. A panic inside a callback aborts the whole test binary, as it kills a VM: no test can expect one.

mod abi;
mod allocations;
mod stream;

pub use allocations::made as allocations;
pub use stream::{Gateway, Headers, Seen, Stream};

/// A call of the filter's own that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub cluster: String,
    pub path: String,
    pub milliseconds: u32,
    /// Who asked: its answer is lost once that context is gone.
    context: u32,
}

use crate::headers;
use crate::units::UnixNanos;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status};
use std::cell::RefCell;
use std::collections::BTreeMap;
use stream::Passing;

/// The host calls that are answered, for [`Host::fail`] and [`Host::calls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Log,
    CurrentTime,
    SetTickPeriod,
    GetBuffer,
    SetBuffer,
    HeaderPairs,
    HeaderValue,
    AddHeader,
    ReplaceHeader,
    RemoveHeader,
    SetHeaderPairs,
    GetProperty,
    SetProperty,
    GetSharedData,
    SetSharedData,
    DefineMetric,
    IncrementMetric,
    RecordMetric,
    SendLocalResponse,
    AskCluster,
    CloseStream,
}

impl Call {
    pub const ALL: [Self; 21] = [
        Self::Log,
        Self::CurrentTime,
        Self::SetTickPeriod,
        Self::GetBuffer,
        Self::SetBuffer,
        Self::HeaderPairs,
        Self::HeaderValue,
        Self::AddHeader,
        Self::ReplaceHeader,
        Self::RemoveHeader,
        Self::SetHeaderPairs,
        Self::GetProperty,
        Self::SetProperty,
        Self::GetSharedData,
        Self::SetSharedData,
        Self::DefineMetric,
        Self::IncrementMetric,
        Self::RecordMetric,
        Self::SendLocalResponse,
        Self::AskCluster,
        Self::CloseStream,
    ];
}

/// Another worker, given the key's bytes between the filter's read and its write: what it writes itself, if anything.
type Rival = Box<dyn FnMut(Option<&[u8]>) -> Option<Vec<u8>>>;

pub struct Host {
    pub clock: UnixNanos,
    /// How long each look at the clock takes.
    pub look_takes: u64,
    pub log: Vec<(LogLevel, String)>,
    /// Host calls so far, by kind.
    pub calls: BTreeMap<Call, u64>,
    /// What the filter asked for.
    pub tick_milliseconds: Option<u32>,
    failing: BTreeMap<Call, Status>,
    rivals: Option<Rival>,
    configuration: Vec<u8>,
    shared: BTreeMap<String, (Vec<u8>, u32)>,
    last_cas: u32,
    /// Kind and name of each definition; its place is its id.
    definitions: Vec<(MetricType, String)>,
    values: BTreeMap<String, u64>,
    samples: BTreeMap<String, Vec<u64>>,
    streams: BTreeMap<u32, Passing>,
    /// By their number, until they are answered or their context is gone.
    questions: BTreeMap<u32, Question>,
    last_question: u32,
    /// What came back for the call whose callback runs.
    said: Option<Seen>,
    /// The context whose callback runs.
    active: u32,
}

thread_local! {
    /// One host a thread, as the SDK's own state: each test has its own.
    static HOST: RefCell<Host> = RefCell::new(Host::new());
}

/// Looks at the host, or turns a knob. Not while a callback runs.
pub fn with<T>(look: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(look)
}

impl Host {
    fn new() -> Self {
        Self {
            // 2027-01-15, 08:00 UTC: amid a day, an hour and a minute.
            clock: UnixNanos(1_800_000_000_000_000_000),
            look_takes: 0,
            log: Vec::new(),
            calls: BTreeMap::new(),
            tick_milliseconds: None,
            failing: BTreeMap::new(),
            rivals: None,
            configuration: Vec::new(),
            shared: BTreeMap::new(),
            last_cas: 0,
            definitions: Vec::new(),
            values: BTreeMap::new(),
            samples: BTreeMap::new(),
            streams: BTreeMap::new(),
            questions: BTreeMap::new(),
            last_question: 0,
            said: None,
            active: 0,
        }
    }

    /// From now on `call` does nothing and answers `status`.
    pub fn fail(&mut self, call: Call, status: Status) {
        self.failing.insert(call, status);
    }

    pub fn succeed(&mut self, call: Call) {
        self.failing.remove(&call);
    }

    /// Another worker writes before each write of ours, as long as `rival` has something to write.
    pub fn rivals(&mut self, rival: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>> + 'static) {
        self.rivals = Some(Box::new(rival));
    }

    /// As [`Self::rivals`], `times` times.
    pub fn rivals_times(&mut self, mut times: u32, mut rival: impl FnMut(Option<&[u8]>) -> Vec<u8> + 'static) {
        self.rivals(move |before| {
            times = times.checked_sub(1)?;
            Some(rival(before))
        });
    }

    pub fn no_rivals(&mut self) {
        self.rivals = None;
    }

    pub fn shared(&self, key: &str) -> Option<&[u8]> {
        self.shared.get(key).map(|(value, _)| value.as_slice())
    }

    pub fn keys(&self) -> Vec<&str> {
        self.shared.keys().map(String::as_str).collect()
    }

    /// The value of a counter or gauge by its full name; 0 if it was never touched.
    pub fn metric(&self, name: &str) -> u64 {
        self.values.get(name).copied().unwrap_or(0)
    }

    /// All counters and gauges that are not 0.
    pub fn metrics(&self) -> BTreeMap<&str, u64> {
        self.values.iter().filter(|(_, value)| **value != 0).map(|(name, value)| (name.as_str(), *value)).collect()
    }

    pub fn samples(&self, name: &str) -> &[u64] {
        self.samples.get(name).map_or(&[], Vec::as_slice)
    }

    /// How often each name was defined: more than once a VM leaks an id in Envoy.
    pub fn definitions(&self, name: &str) -> usize {
        self.definitions.iter().filter(|(_, defined)| defined == name).count()
    }

    pub fn logged(&self, level: LogLevel) -> Vec<&str> {
        self.log.iter().filter(|(at, _)| *at == level).map(|(_, line)| line.as_str()).collect()
    }

    fn stream(&mut self) -> Option<&mut Passing> {
        self.streams.get_mut(&self.active)
    }

    /// Reads are cut to what is there.
    fn buffer(&mut self, buffer: BufferType, start: usize, length: usize) -> Result<Vec<u8>, Status> {
        let bytes = match buffer {
            BufferType::PluginConfiguration => &self.configuration,
            BufferType::HttpCallResponseBody => &self.said.as_ref().ok_or(Status::NotFound)?.body,
            _ => self.body(buffer)?,
        };
        let end = start.checked_add(length).ok_or(Status::BadArgument)?.min(bytes.len());
        Ok(bytes.get(start..end).unwrap_or_default().to_vec())
    }

    /// `Buffer::copyFrom`: a prefix is replaced, or something is added at the end; all else is refused.
    fn set_buffer(&mut self, buffer: BufferType, start: usize, length: usize, new: Vec<u8>) -> Result<(), Status> {
        if buffer == BufferType::PluginConfiguration {
            return Err(Status::BadArgument);
        }
        // Where there is none, reading says so, and writing is refused: the SDK panics.
        let bytes = self.body(buffer).map_err(|_| Status::BadArgument)?;
        if start == 0 {
            bytes.splice(..length.min(bytes.len()), new);
            Ok(())
        } else if start >= bytes.len() {
            bytes.extend(new);
            Ok(())
        } else {
            Err(Status::BadArgument)
        }
    }

    fn body(&mut self, buffer: BufferType) -> Result<&mut Vec<u8>, Status> {
        let stream = self.stream().ok_or(Status::NotFound)?;
        let side = match buffer {
            BufferType::HttpRequestBody => &mut stream.request,
            BufferType::HttpResponseBody => &mut stream.answer,
            other => panic!("{other:?} is not part of the test host"),
        };
        if side.body_open { Ok(&mut side.buffer) } else { Err(Status::NotFound) }
    }

    /// Headers can be read while they are held and in `on_log`, and nowhere else: `BadArgument`.
    fn headers(&mut self, map: MapType) -> Result<Headers, Status> {
        if map == MapType::HttpCallResponseHeaders {
            return self.said.as_ref().map(|said| said.headers.clone()).ok_or(Status::BadArgument);
        }
        let stream = self.stream().ok_or(Status::BadArgument)?;
        let logging = stream.logging;
        let side = stream.side(map);
        if side.headers_open || logging { Ok(side.headers.clone()) } else { Err(Status::BadArgument) }
    }

    /// Replaces all values of a header by one, or removes it.
    fn add_header(&mut self, map: MapType, name: &str, value: Vec<u8>) -> Result<(), Status> {
        let side = self.stream().ok_or(Status::BadArgument)?.side(map);
        if !side.headers_open {
            return Err(Status::BadArgument);
        }
        side.headers.push((name.to_owned(), value));
        Ok(())
    }

    fn remove_header(&mut self, map: MapType, name: &str) -> Result<(), Status> {
        let side = self.stream().ok_or(Status::BadArgument)?.side(map);
        if !side.headers_open {
            return Err(Status::BadArgument);
        }
        side.headers.retain(|(known, _)| known != name);
        Ok(())
    }

    fn set_headers(&mut self, map: MapType, headers: Headers) -> Result<(), Status> {
        let side = self.stream().ok_or(Status::BadArgument)?.side(map);
        if !side.headers_open {
            return Err(Status::BadArgument);
        }
        side.headers = headers;
        Ok(())
    }

    /// A second reply is taken and not sent, as Envoy does.
    fn reply(&mut self, code: u32, headers: Headers, body: Vec<u8>) -> Result<(), Status> {
        let stream = self.stream().ok_or(Status::BadArgument)?;
        stream
            .replies
            .push(Seen { headers: [vec![(":status".into(), code.to_string().into())], headers].concat(), body });
        Ok(())
    }

    /// Both ends of the stream are closed at once; what is in its buffer goes nowhere.
    fn close(&mut self) -> Result<(), Status> {
        let stream = self.stream().ok_or(Status::BadArgument)?;
        stream.closed = true;
        stream.answer.buffer.clear();
        Ok(())
    }

    /// The questions that wait for an answer, by their number.
    pub fn questions(&self) -> Vec<(u32, Question)> {
        self.questions.iter().map(|(number, question)| (*number, question.clone())).collect()
    }

    fn ask(&mut self, cluster: String, headers: &Headers, milliseconds: u32) -> u32 {
        let path = headers.iter().find(|(name, _)| name == ":path").expect("a path").1.clone();
        let path = String::from_utf8(path).expect("UTF-8");
        self.last_question += 1;
        self.questions.insert(self.last_question, Question { cluster, path, milliseconds, context: self.active });
        self.last_question
    }

    fn let_a_rival_write(&mut self, key: &str) {
        let Some(mut rival) = self.rivals.take() else { return };
        let written = rival(self.shared(key));
        self.rivals = Some(rival);
        if let Some(value) = written {
            self.set_shared(key.to_owned(), value, 0).expect("an unconditional write");
        }
    }

    /// `SharedData::set`: 0 is unconditional, an absent key takes any number, and each write takes a new number.
    pub fn set_shared(&mut self, key: String, value: Vec<u8>, cas: u32) -> Result<(), Status> {
        if self.shared.get(&key).is_some_and(|(_, current)| cas != 0 && cas != *current) {
            return Err(Status::CasMismatch);
        }
        self.last_cas += 1;
        self.shared.insert(key, (value, self.last_cas));
        Ok(())
    }

    /// Always a new id, even for a known name.
    fn define_metric(&mut self, kind: MetricType, name: String) -> u32 {
        self.definitions.push((kind, name));
        u32::try_from(self.definitions.len()).expect("few metrics")
    }

    fn definition(&self, id: u32) -> Result<(MetricType, String), Status> {
        let place = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        place.and_then(|place| self.definitions.get(place)).cloned().ok_or(Status::NotFound)
    }

    /// A counter only grows, and refuses 0; a gauge wraps.
    fn increment_metric(&mut self, id: u32, offset: i64) -> Result<(), Status> {
        match self.definition(id)? {
            (MetricType::Counter, _) if offset <= 0 => Err(Status::BadArgument),
            (MetricType::Counter | MetricType::Gauge, name) => {
                let value = self.values.entry(name).or_default();
                *value = value.wrapping_add_signed(offset);
                Ok(())
            }
            _ => Err(Status::BadArgument),
        }
    }

    /// Adds to a counter, sets a gauge, samples a histogram.
    fn record_metric(&mut self, id: u32, value: u64) -> Result<(), Status> {
        match self.definition(id)? {
            (MetricType::Counter, name) => *self.values.entry(name).or_default() += value,
            (MetricType::Gauge, name) => *self.values.entry(name).or_default() = value,
            (_, name) => self.samples.entry(name).or_default().push(value),
        }
        Ok(())
    }
}

fn deserialized(bytes: Vec<u8>) -> Headers {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a header's name");
    headers::Headers::new(bytes).iter().map(|(name, value)| (text(name), value.to_vec())).collect()
}
