/* hone/tokenizer.h - text to ids and back.
 *
 * A tokenizer component is created from a description the host has read: `spec`, a map with one of
 *   format = "tokenizer.json", json = <the parsed tree>         (Hugging Face)
 *   format = "gguf", metadata = <the GGUF key/value map>        ("tokenizer.ggml.*")
 *   format = "files", files = <file name -> its bytes, or the parsed tree of a .json>
 *            (a SentencePiece .model, a .tiktoken, vocab.json + merges.txt, vocab.txt, and what lies beside)
 * plus optional config = <tokenizer_config.json>. create returns HONE_E_UNSUPPORTED when the
 * description is of another kind: the host then tries the next tokenizer component.
 * Ids are identical to the reference implementation's. (plugin-abi.md 3) */
#ifndef HONE_TOKENIZER_H
#define HONE_TOKENIZER_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_TOKENIZER "hone.tokenizer/1"

#define HONE_ENCODE_SPECIAL (1u << 0) /* text that spells a special token becomes that token */
#define HONE_ENCODE_ADD (1u << 1)     /* add the post-processor's tokens (bos, eos, ...) */
#define HONE_ENCODE_OFFSETS (1u << 2) /* fill offsets */
#define HONE_ENCODE_TRUNCATE                                                                       \
    (1u << 3) /* cut to the length the description asks for (tokenizer.json) */
/* The text is a part of one that `cut` cut: what is put around a text comes before the first part, or behind the last. */
#define HONE_ENCODE_CONTINUES (1u << 4) /* another part stands before it */
#define HONE_ENCODE_GOES_ON (1u << 5)   /* another part follows */
#define HONE_DECODE_SKIP_SPECIAL (1u << 0)

typedef struct hone_span32 {
    uint32_t begin, end; /* bytes of the text */
} hone_span32;
typedef struct hone_ids_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* All ids of text number `text`; offsets NULL unless asked for. Called once a text, in order. [any-thread] */
    hone_status (*put)(const struct hone_ids_sink *sink, size_t text, const int32_t *ids_bor,
                       const hone_span32 *offsets_bor, size_t n);
} hone_ids_sink;
typedef struct hone_text_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    hone_status (*put)(const struct hone_text_sink *sink, size_t index,
                       hone_str text_bor); /* [any-thread] */
} hone_text_sink;
typedef struct hone_ids {
    const int32_t *ids;
    size_t n;
} hone_ids;

typedef struct hone_tokenizer_v1 {
    uint32_t struct_size, reserved;
    hone_status (*encode)(void *self, const hone_str *texts_bor, size_t n, uint32_t flags,
                          const hone_ids_sink *sink); /* [any-thread] */
    /* Raw bytes of the ids, which may cut a UTF-8 character: the host cleans up for display. An id out of
     * range is E_RANGE. [any-thread] */
    hone_status (*decode)(void *self, const hone_ids *ids_bor, size_t n, uint32_t flags,
                          const hone_text_sink *sink);
    int32_t (*vocab_size)(void *self); /* highest id + 1; cannot fail [any-thread] */
    hone_str (*token_bytes)(
        void *self,
        int32_t
            id); /* what decode would give; valid until destroy; {NULL,0} out of range [any-thread] */
    hone_str (*token_text)(
        void *self,
        int32_t
            id); /* as written in the vocabulary; valid until destroy; {NULL,0} out of range [any-thread] */
    int32_t (*token_id)(void *self,
                        hone_str text); /* by vocabulary or special text; -1 [any-thread] */
    int32_t (*special)(void *self, const char *name); /* "bos" "eos" "pad" "unk"; -1 [any-thread] */
    int32_t (*is_special)(void *self, int32_t id);    /* 1, or 0; cannot fail [any-thread] */
    void (*fingerprint)(void *self,
                        char out_hex[65]); /* SHA-256 over vocabulary, merges, rules [any-thread] */
    /* Optional: the last place p, 0 < p < text.len, where the text may be cut whatever follows it: the ids of its
     * first p bytes (HONE_ENCODE_GOES_ON) and then those of all that is behind them (HONE_ENCODE_CONTINUES) are
     * the ids of the whole. 0: none is known. flags as for encode; cannot fail [any-thread] */
    int32_t (*cut)(void *self, hone_str text_bor, uint32_t flags);
} hone_tokenizer_v1;

/* In C, `const hone_component NAME`, a tokenizer with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_TOKENIZER(name, table, ...)                                                    \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_TOKENIZER, HONE_IFACE_TOKENIZER, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
