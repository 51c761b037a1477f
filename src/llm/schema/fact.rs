//! What a field of an answer tells.

use crate::llm::usage::Count;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Model,
    /// Under which the provider may have kept the answer, or an item of it.
    Id,
    Choices,
    /// Generated text, by its size.
    Output,
    /// The same, where a model says that it declines.
    Refusal,
    /// Generated text, which may stand there under other names as well: by which.
    Reasoned(u8),
    /// A string that no table knows: it may be text.
    Stray,
    /// A generated picture or sound, by its size in base64.
    Media,
    /// A generated object, by its length.
    Arguments,
    /// Differs from event to event of a stream, and nobody reads it.
    Varying,
    /// An error, unless it is null.
    Error,
    /// The kind of an event or an answer: `error` and `failed` are what the names say.
    Kind,
    /// Why the answer ended, unless it is null: nothing more is generated.
    Finish,
    /// The object that holds the usage.
    Usage,
    Count(Count),
    /// What was asked for is no text: there is no output to count.
    Embedding,
    /// It came, whatever it holds.
    Made,
    /// What adds up over the items of an answer: an object or a text counts one, a number what it says.
    Each(Count),
    /// Counts by modality, in objects of a `modality` and a `tokenCount`.
    Modalities {
        audio: Count,
        image: Count,
    },
    Modality,
    ModalityTokens,
    ServiceTier,
    /// By what kind of traffic Vertex served it, or Gemini's own name for the tier.
    TrafficType,
    /// Why it failed, by a number that is 0 where it didn't.
    FailureCode,
    /// How fast, and where: each has rates of its own.
    Speed,
    Region,
    /// How long a sound was.
    Seconds,
    /// The provider's own bill, in units of 10^-`places` USD.
    Cost {
        places: u64,
    },
    /// What a relay's provider bills beside it, in USD, if the key is the operator's own.
    UpstreamCost,
    OwnKey,
    /// What was written into a cache, in objects of an age and a count.
    WrittenFor,
    WrittenAge,
    WrittenTokens,
    /// A round of several that an answer took, and its counts.
    Iteration,
    Iterated(Count),
    /// An item of the output, which may be the call of a hosted tool.
    Call,
    CallId,
    CallKind,
    CallStatus,
    CallAction,
    CallContainer,
    /// The container that the code of an answer ran in, each once.
    Container,
    /// A search that was made: each different one counts.
    Query,
    /// The same where only the kind of the step that has it says whether it is one, before it or behind it.
    Step,
    StepKind,
    StepQuery,
    /// Which call of a hosted tool a block answers, and what that found, by its kind.
    Served,
    Found,
}
