//! What a field of a request says to the gateway.

use super::Medium;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Model,
    Stream,
    Choices,
    /// The bound on the output, by its slot.
    Bound(u8),
    /// The object that a slot stands in.
    Nest,
    IncludeUsage,
    /// A tier, a speed, a region: each may have rates of its own.
    ServiceTier,
    Speed,
    Region,
    /// How large the container is in which code runs.
    Memory,
    /// The field that the schema needs.
    Needed,
    /// In base64, what the field's name says.
    Inline(Medium),
    /// Where it can be had, or a `data:` URL that holds it.
    Address(Medium),
    /// By the field's name, what brings in as much as the model reads, for all that the body says.
    Hidden(&'static str),
    /// By the field's name, what brings in so many tokens at most.
    HiddenUpTo(&'static str, u32),
    /// By the field's name, servers whose tools the provider calls.
    Servers(&'static str),
    /// A part of a content, whose kind says what its source or its id stands for.
    Part,
    /// The same, of an element of the input.
    ItemPart,
    PartKind,
    /// By its name, an id in a part: of a picture, or of whatever it may be.
    PartId(&'static str),
    /// A member of a part that no table knows.
    PartOther,
    /// What a part is made from. What it is shows at its end: its kind, its type, and where or what it is.
    Source,
    SourceKind,
    MediaType,
    SourceData,
    SourceAddress,
    Document,
    /// What each of the documents is held against.
    Query,
    /// A tool that is offered; what holds of all of them stands beside.
    Tools,
    /// The kind of a tool, where a member says it and where the member is it.
    ToolKind,
    ToolMember,
    /// The same, by its name.
    ToolNamed(&'static str),
    /// How often it may be used, and all that a provider runs together.
    ToolMost,
    AllToolsMost,
    /// How many sources a search has.
    SearchMost,
    /// How many tokens each use of it brings in, at most.
    ToolTokens,
    /// Another model that works inside of it.
    ToolModel,
    /// How many pictures it makes in one, and whether that moves.
    ToolFrames,
    ToolFormat,
    /// Where it runs.
    ToolPlace,
    /// Whether it is used at all.
    ToolMode,
    /// By its name, an object that has the provider search; what it sells stands at its members.
    Search(&'static str),
    /// A relay's own additions.
    Plugins,
    /// Whether the provider is to keep what is made.
    Store,
    /// The answer is to be spoken, and what was said is kept for a while.
    Spoken,
    /// Whether it is to be made while nobody waits.
    Background,
    /// By the field's name, the id of something that the provider has kept.
    Refers(&'static str),
    /// An element of the input, its kind and its id: by itself, an id stands for what the provider has kept.
    Item,
    ItemKind,
    ItemId,
    /// What an element brings along in the place of what was kept.
    ItemContent,
    /// Whose it is: only a message is somebody's.
    ItemRole,
    /// By the field's name, a list of the flags that other clients write into a header.
    Flags(&'static str),
    /// By its name, a list of models that may serve in the place of the one that is priced.
    OtherModels(&'static str),
    /// By its name, another model that works beside the one that is priced.
    OtherModel(&'static str),
    /// A text that is sold by the character.
    Characters,
    /// A picture that is sold by the piece; and how many are to be drawn, one if nothing says it.
    Picture,
    Drawn,
    /// A prompt that the provider has kept, and what a model it names.
    StoredPrompt,
    /// A field that must be left out, and why.
    Never(&'static str, &'static str),
    /// How many pictures are made in one, and whether it moves.
    Frames,
    Format,
    /// Whether there is to be a series of pictures, and of how many at most.
    Series,
    SeriesOptions,
    SeriesMost,
    /// A field of the request that no table knows, and what it holds.
    Unknown,
    InUnknown,
    /// What belongs to another API.
    Misplaced,
    /// What is completed: of a list, each is answered by itself.
    Prompts,
    /// For the gateway alone.
    Role,
    Sensitivity,
    /// Wherever it stands: something is to be written into a cache.
    CacheWrite,
    /// For how long, wherever it stands.
    CacheAge,
}
