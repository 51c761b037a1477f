"""Writes a llama model of random weights, under 1 MB: llama.cpp tokenizes, samples and counts as with any other.

Usage: llama_model.py MODEL.gguf. The same seed gives the same file, and so the same tokens at temperature 0.
"""

import string
import sys

import gguf
import numpy

WORDS = """a account and answer are at be bill budget but by cent client cost day each envoy every first for from
gateway has have in is it its key ledger left limit many minute model month more no not of on one or other out over
prompt provider rate request river settle settled so spend spent stone stream tenant that the their then there this to
token under until was what when which will with word you""".split()

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 64, 2, 4, 128, 2048
BLANK = "\u2581"

TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant: "


def vocabulary():
    """Pieces, scores and kinds. Every prefix of a word is a piece, or the tokenizer could not build the word."""
    kind = gguf.TokenType
    tokens = [("<unk>", 0.0, kind.UNKNOWN), ("<s>", 0.0, kind.CONTROL), ("</s>", 0.0, kind.CONTROL)]
    tokens += [(f"<0x{byte:02X}>", 0.0, kind.BYTE) for byte in range(256)]
    words = (BLANK + word for word in WORDS)
    pieces = [word[:end] for word in words for end in range(len(word), 0, -1)]
    # Without control characters: those are the bytes above.
    pieces += string.ascii_letters + string.digits + string.punctuation + " "
    return tokens + [(piece, -1.0 - rank, kind.NORMAL) for rank, piece in enumerate(dict.fromkeys(pieces))]


def write(path):
    tokens = vocabulary()
    model = gguf.GGUFWriter(path, "llama")
    model.add_context_length(CONTEXT)
    model.add_embedding_length(WIDTH)
    model.add_block_count(LAYERS)
    model.add_feed_forward_length(HIDDEN)
    model.add_head_count(HEADS)
    model.add_head_count_kv(HEADS)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_rope_dimension_count(WIDTH // HEADS)
    model.add_vocab_size(len(tokens))
    model.add_file_type(gguf.LlamaFileType.ALL_F32)
    model.add_tokenizer_model("llama")
    model.add_tokenizer_pre("default")
    model.add_token_list([text.encode() for text, _, _ in tokens])
    model.add_token_scores([score for _, score, _ in tokens])
    model.add_token_types([kind for _, _, kind in tokens])
    model.add_unk_token_id(0)
    model.add_bos_token_id(1)
    model.add_eos_token_id(2)
    model.add_add_bos_token(True)
    model.add_chat_template(TEMPLATE)

    dice = numpy.random.default_rng(7)

    def weights(*shape, scale=0.08):
        return (dice.standard_normal(shape) * scale).astype(numpy.float32)

    output = weights(len(tokens), WIDTH, scale=0.3)
    output[:259] = 0.0  # Bytes and control tokens never win, so it writes words until it is told to stop.
    model.add_tensor("token_embd.weight", weights(len(tokens), WIDTH))
    model.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
    model.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            model.add_tensor(f"blk.{layer}.{norm}.weight", numpy.ones(WIDTH, numpy.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            model.add_tensor(f"blk.{layer}.{part}.weight", weights(WIDTH, WIDTH))
        model.add_tensor(f"blk.{layer}.ffn_gate.weight", weights(HIDDEN, WIDTH))
        model.add_tensor(f"blk.{layer}.ffn_up.weight", weights(HIDDEN, WIDTH))
        model.add_tensor(f"blk.{layer}.ffn_down.weight", weights(WIDTH, HIDDEN))
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    write(sys.argv[1])
