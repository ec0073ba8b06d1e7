/* bpe.h - inside the byte-level BPE tokenizer: what its files share.
 *
 * A tokenizer is built once (load_json.c, load_gguf.c fill `bpe_tok`; build.c checks and indexes it)
 * and never changes afterwards, so encode and decode need no lock; each encoding call borrows a
 * bpe_work (buffers and a cache of words) from a small pool.
 *
 * Way of a text: added tokens are cut out (added.c), the rest is normalised (norm.c), cut into words
 * (split.c, scan.c), and each word is merged byte pair by byte pair (merge.c).
 *
 * Invariants: every id in tables is in [0, n_ids); text and bytes of an id live in the arena. */
#ifndef BPE_H
#define BPE_H
#include "hone/tokenizer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory: mem.c ------------------------------------------------------------------------------ */
typedef struct bpe_mem {
    const hone_mem_v1 *vt; /* NULL: malloc */
    void *self;
} bpe_mem;
void *bpe_alloc(const bpe_mem *m, size_t n); /* zeroed; NULL when there is none */
void *bpe_resize(const bpe_mem *m, void *p, size_t n);
void bpe_free(const bpe_mem *m, void *p);

typedef struct bpe_arena {
    const bpe_mem *mem;
    struct bpe_chunk *head;
} bpe_arena;
void *bpe_arena_alloc(bpe_arena *a, size_t n); /* 8-byte aligned, not zeroed */
void bpe_arena_release(bpe_arena *a);
hone_str bpe_arena_str(bpe_arena *a, const char *p, size_t n); /* copy; {NULL,0} without memory */

/* A growable array of one element type. */
typedef struct bpe_vec {
    void *v;
    size_t n, cap;
} bpe_vec;
/* Room for `more` items of `size` bytes behind n; 0 without memory (or past 2^31 items). */
int bpe_vec_room(const bpe_mem *m, bpe_vec *v, size_t more, size_t size);

/* ---- bytes -> id ---------------------------------------------------------------------------------- */
typedef struct bpe_strmap {
    int32_t *slots; /* -1 = empty */
    uint32_t mask;
    const hone_str *keys; /* by id */
} bpe_strmap;
int bpe_strmap_init(bpe_strmap *s, bpe_arena *a, const hone_str *keys, size_t n_keys);
/* The id that has this key already, or -1 after it was put. */
int32_t bpe_strmap_put(bpe_strmap *s, int32_t id);
int32_t bpe_strmap_get(const bpe_strmap *s, hone_str key);
uint64_t bpe_hash(const void *p, size_t n);

/* ---- merges ---------------------------------------------------------------------------------------- */
typedef struct bpe_merge {
    uint32_t a, b, rank;
    int32_t id; /* -1 = empty slot */
} bpe_merge;
typedef struct bpe_merges {
    bpe_merge *slots;
    uint32_t mask, n;
} bpe_merges;
int bpe_merges_init(bpe_merges *m, bpe_arena *a, size_t n);
/* replace: a later entry for the same pair wins (Hugging Face), otherwise the first (llama.cpp). */
void bpe_merges_put(bpe_merges *m, uint32_t a, uint32_t b, uint32_t rank, int32_t id, int replace);

static inline const bpe_merge *bpe_merges_get(const bpe_merges *m, uint32_t a, uint32_t b)
{
    uint64_t key = (uint64_t)a << 32 | b;
    uint32_t i = (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32) & m->mask;
    for (;; i = (i + 1) & m->mask) {
        const bpe_merge *e = &m->slots[i];
        if (e->id < 0)
            return NULL;
        if (e->a == a && e->b == b)
            return e;
    }
}

/* ---- added tokens ---------------------------------------------------------------------------------- */
typedef struct bpe_added {
    hone_str content; /* what is looked for (normalised when `normalized`) */
    int32_t id;
    uint8_t special, single_word, lstrip, rstrip, normalized;
} bpe_added;
typedef struct bpe_matcher { /* sorted by content; first[b]: does any begin with byte b */
    const bpe_added **v;
    size_t n;
    uint8_t first[256];
    int only; /* the single first byte, or -1 */
} bpe_matcher;
/* The next match in text[from, len): leftmost, then longest. 0 when there is none. */
int bpe_match_next(const bpe_matcher *m, hone_str text, size_t from, size_t *begin,
                   const bpe_added **out);

/* ---- pre-tokenizer --------------------------------------------------------------------------------- */
enum { BPE_ISOLATED, BPE_REMOVED, BPE_WITH_PREVIOUS, BPE_WITH_NEXT, BPE_CONTIGUOUS };
enum {
    BPE_STEP_REGEX,
    BPE_STEP_STRING,
    BPE_STEP_DIGITS,
    BPE_STEP_PREFIX_SPACE, /* rewrites: a space in front of what has none */
    BPE_STEP_WORDS,        /* \\w+ and [^\\w\\s]+ */
    BPE_STEP_SPACES,       /* cut at white space */
    BPE_STEP_PUNCT,
    BPE_STEP_FIXED, /* `count` characters each */
    BPE_STEP_SCRIPTS,
    BPE_STEP_METASPACE, /* rewrites */
    BPE_STEP_BYTES      /* rewrites: bytes to the byte-level alphabet */
};
enum { BPE_ALWAYS, BPE_FIRST, BPE_NEVER }; /* METASPACE: where its character is put in front */
typedef struct bpe_step {
    int kind, behavior, invert;
    int individual;    /* DIGITS */
    int scheme, split; /* METASPACE */
    size_t count;      /* FIXED */
    hone_str pattern;
    void *re; /* pcre2_code */
} bpe_step;
/* Hand-written scanners; the PCRE2 steps are their definition. */
enum { BPE_SCAN_NONE, BPE_SCAN_GPT2, BPE_SCAN_GPT2_DIGITS, BPE_SCAN_LLAMA3, BPE_SCAN_QWEN2 };
#define BPE_RE_GPT2                                                                                \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define BPE_RE_LLAMA3                                                                              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "                     \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"                                                               \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BPE_RE_QWEN2                                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                          \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"                                                               \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BPE_RE_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define BPE_RE_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define BPE_RE_SHORT "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BPE_RE_O200K                                                                               \
    "[^\\r\\n\\p{L}\\p{N}]?" BPE_RE_UPPER "*" BPE_RE_LOWER "+" BPE_RE_SHORT "?|"                   \
    "[^\\r\\n\\p{L}\\p{N}]?" BPE_RE_UPPER "+" BPE_RE_LOWER "*" BPE_RE_SHORT "?|"                   \
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
enum { BPE_MAX_STEPS = 16 };

typedef struct bpe_piece {
    uint32_t begin, end;
} bpe_piece;

/* Character classes, from Unicode's general category and White_Space. */
enum { BPE_C_OTHER = 0, BPE_C_LETTER = 1, BPE_C_NUMBER = 2, BPE_C_SPACE = 3 };
void bpe_classes_init(void); /* once a process [any-thread] */
int bpe_class(uint32_t code);
/* The character at p (n > 0 bytes left): its code, or 0xFFFFFFFF for a byte that begins none. */
uint32_t bpe_decode_char(const unsigned char *p, size_t n, uint32_t *len);
int bpe_is_word(uint32_t code);        /* \w */
int bpe_is_punctuation(uint32_t code); /* ASCII's, and \p{P} */
int bpe_category(uint32_t code);       /* utf8proc's; 0 past U+10FFFF */
size_t bpe_put_char(uint32_t code, char out[4]);
/* The byte-level alphabet's character for a byte. */
size_t bpe_byte_char(unsigned char b, char out[4]);
/* Ends of the words of text[0, n) by a hand-written scanner: fills at most max, returns how many;
 * *from moves on to where to go on. */
size_t bpe_scan(int scanner, const unsigned char *text, size_t n, size_t *from, uint32_t *ends,
                size_t max);

/* ---- models and the kinds of their pieces ------------------------------------------------------------- */
enum {
    BPE_M_BYTES,     /* byte pairs by rank, on bytes (the fast one) */
    BPE_M_CHARS,     /* the same on characters: unk, byte fallback, affixes */
    BPE_M_SCORES,    /* SentencePiece's BPE: neighbours join whose whole has the best score */
    BPE_M_UNIGRAM,   /* the pieces with the greatest sum of scores */
    BPE_M_WORDPIECE, /* the longest piece first */
    BPE_M_WORDLEVEL, /* a word is a token or none */
    BPE_M_SPM_WORD,  /* SentencePiece: what stands between U+2581 */
    BPE_M_SPM_CHAR   /* SentencePiece: each character */
};
enum { BPE_T_NORMAL = 1, BPE_T_UNKNOWN, BPE_T_CONTROL, BPE_T_USER, BPE_T_UNUSED, BPE_T_BYTE };
typedef struct bpe_edge {
    uint32_t key, child; /* parent << 8 | byte; child 0: empty */
} bpe_edge;
typedef struct bpe_trie {
    bpe_edge *edges;
    int32_t *id; /* by node */
    uint32_t mask, n_nodes;
} bpe_trie;
enum { BPE_MAX_AFFIX = 64, BPE_MAX_PIECE = 1024 };
#define BPE_WS "\xE2\x96\x81" /* U+2581, how SentencePiece writes a space */

/* ---- SentencePiece's normalizer: charsmap.c, spm.c ---------------------------------------------------- */
typedef struct bpe_charsmap {   /* a double-array trie from texts to what takes their place */
    const unsigned char *units; /* n_units little-endian words; NULL: none */
    size_t n_units;
    const char *text; /* NUL-terminated parts; the last byte is NUL */
    size_t n_text;
} bpe_charsmap;
/* Checks and copies a blob into the arena. 0: *why says what is wrong (NULL: memory). */
int bpe_charsmap_init(bpe_charsmap *c, bpe_arena *a, hone_str blob, const char **why);
/* What takes the place of the beginning of p[0, n): its length there, 0 when nothing. shortest: of several
 * beginnings the shortest (as Hugging Face has it), otherwise the longest (SentencePiece). */
size_t bpe_charsmap_find(const bpe_charsmap *c, const unsigned char *p, size_t n, int shortest,
                         hone_str *out);
typedef struct bpe_spm {
    int dummy_prefix;         /* a space in front of the text (behind it: suffix) */
    int suffix;               /* treat_whitespace_as_suffix */
    int remove_extra, escape; /* runs of spaces become one, those at the ends none; ' ' -> U+2581 */
    int first_only;   /* the dummy prefix only at the text's begin, not behind added tokens */
    int keep_invalid; /* bytes that are no UTF-8 stay (else U+FFFD) */
    bpe_charsmap map;
    bpe_matcher user; /* pieces that are taken as they stand */
} bpe_spm;

/* ' ' becomes U+2581 and nothing else changes; and one U+2581 in front of each segment, or of the text. */
enum { BPE_SPACES_NO, BPE_SPACES_ONLY, BPE_SPACES_FRONT, BPE_SPACES_FIRST };

/* ---- normalizers: normalize.c ------------------------------------------------------------------------- */
enum {
    BPE_N_FORM, /* NFC, NFD, NFKC, NFKD: flags of utf8proc_map in `form` */
    BPE_N_LOWER,
    BPE_N_STRIP,    /* white space at the ends: left, right */
    BPE_N_MARKS,    /* takes away Mn, Mc, Me */
    BPE_N_MN,       /* takes away Mn (BERT) */
    BPE_N_REPLACE,  /* what matches `a` (re when a pattern) becomes `b` */
    BPE_N_PREPEND,  /* `a` in front */
    BPE_N_CHARSMAP, /* map, as Hugging Face applies it */
    BPE_N_CLEAN,    /* BERT: no control characters, every white space a space */
    BPE_N_CHINESE,  /* BERT: spaces around ideographs */
    BPE_N_NMT,
    BPE_N_BYTES, /* bytes to the byte-level alphabet */
    BPE_N_WPM    /* llama.cpp's: lower case, nothing else (bert of GGUF) */
};
typedef struct bpe_rule {
    int kind, form, left, right;
    hone_str a, b;
    void *re; /* pcre2_code */
    bpe_charsmap map;
} bpe_rule;
enum { BPE_MAX_RULES = 32 };

/* ---- decoders: decode.c -------------------------------------------------------------------------------- */
enum {
    BPE_D_BYTES,     /* byte-level alphabet to bytes */
    BPE_D_WORDPIECE, /* a: prefix; cleanup */
    BPE_D_METASPACE, /* a: the character; first: the first token loses it */
    BPE_D_SUFFIX,    /* BPEDecoder: a becomes a space, nothing at the end */
    BPE_D_FALLBACK,  /* <0xNN> to bytes */
    BPE_D_FUSE,      /* all one token from here on */
    BPE_D_STRIP,     /* up to start, stop times a at the ends */
    BPE_D_REPLACE,   /* a (re) becomes b */
    BPE_D_CTC,       /* a: pad, b: word delimiter; cleanup */
    BPE_D_UNDO,      /* SentencePiece's denormalizer: spm */
    BPE_D_JOIN       /* no decoder: a space between tokens */
};
typedef struct bpe_decoder {
    int kind, cleanup, first;
    size_t start, stop;
    hone_str a, b;
    void *re;
    const bpe_spm *spm;
} bpe_decoder;
enum { BPE_MAX_DECODERS = 16 };

/* ---- text that remembers where it comes from: text.c --------------------------------------------------- */
typedef struct bpe_text {
    bpe_vec bytes;    /* the text as it is now */
    bpe_vec from, to; /* by byte: the bytes of the text before all rules it stands for */
    size_t most;      /* bytes it may have; 0: any number */
} bpe_text;
void bpe_text_clear(bpe_text *t);
void bpe_text_release(const bpe_mem *m, bpe_text *t);
/* All give 0 without memory. `in` and `out` differ. */
int bpe_text_init(const bpe_mem *m, bpe_text *out, const void *p, size_t n); /* stands for itself */
int bpe_text_copy(const bpe_mem *m, bpe_text *out, const bpe_text *in, size_t a, size_t b);
/* p[0, n) takes the place of in[a, b); a == b: it is put in before in[a]. */
int bpe_text_put(const bpe_mem *m, bpe_text *out, const bpe_text *in, const void *p, size_t n,
                 size_t a, size_t b);
static inline hone_str bpe_text_str(const bpe_text *t)
{
    hone_str s = {t->bytes.n ? t->bytes.v : "", t->bytes.n};
    return s;
}

/* ---- a worker's memory ------------------------------------------------------------------------------- */
/* The cache of words begins with LEAST slots and grows by fours to MOST (4 MiB) as a worker meets words. */
enum { BPE_CACHE_IDS = 8, BPE_CACHE_LEAST = 1 << 10, BPE_CACHE_MOST = 1 << 16 };
typedef struct bpe_cached {
    uint64_t key[2]; /* the word's bytes, zero-padded */
    uint8_t len, n;  /* len 0 = empty */
    uint8_t pad[6];
    int32_t ids[BPE_CACHE_IDS];
    uint64_t unused;
} bpe_cached;
typedef struct bpe_symbol {
    int32_t id, prev, next;
    uint32_t begin, end; /* bytes of the word */
} bpe_symbol;
typedef struct bpe_heap_item { /* a candidate pair, the lower the rank, the sooner */
    uint32_t rank, pos;
    int32_t id; /* of merges: the whole; of scores: the length of the whole */
} bpe_heap_item;
typedef struct bpe_work {
    struct bpe_work *next;
    const bpe_mem *mem;
    bpe_cached *cache;
    uint32_t cache_mask, cache_puts; /* slots - 1; words put since it grew */
    bpe_vec ids, spans;              /* result of the current text */
    bpe_vec symbols, heap;           /* merging one word */
    bpe_vec pieces, pieces2;         /* PCRE2 path */
    bpe_text norm, norm2;            /* normalised text; the other one while a rule rewrites it */
    bpe_text seg, seg2;              /* what pre-tokenizers that rewrite text work on */
    bpe_vec prefixed;
    bpe_vec best;     /* Unigram: the best way to each place */
    bpe_vec splits;   /* SentencePiece BPE: how unused pieces were joined */
    void *match_data; /* pcre2_match_data */
    void *match_context;
    void *jit_stack;
    void *scripts;      /* pcre2_code of scripts.c */
    int continues;      /* the text goes on from another */
    int inner;          /* the segment does: nothing comes in front of it */
    size_t unk_floor;   /* ids from here on: two unknowns in a row are one */
    size_t decode_most; /* bytes that decoders may make of the ids at hand */
    const char *failed; /* text of a failure that is not memory */
} bpe_work;

/* ---- the tokenizer ------------------------------------------------------------------------------------ */
typedef struct bpe_tok {
    const hone_host *host;
    bpe_mem mem;
    bpe_arena arena;
    /* vocabulary, by id */
    int32_t n_ids;
    hone_str *text;  /* as written; {NULL,0}: no such id */
    hone_str *bytes; /* what decoding gives */
    uint8_t *special;
    bpe_strmap by_text, by_bytes;
    int32_t byte_id[256]; /* -1: no token for this byte */
    int has_gaps;         /* some byte has no token: lengths of ids do not add up to the word's */
    int32_t unk;          /* what a byte without token becomes, or -1: dropped */
    int strip_after_bos;  /* SentencePiece: the space in front of a text is not the text's */
    int model;            /* BPE_M_* */
    uint8_t *kind;        /* BPE_T_* by id, or NULL: all are normal */
    double *score;        /* by id, or NULL */
    int float_sums;       /* UNIGRAM: scores add up in float */
    int user_zero; /* UNIGRAM: a user's piece has score 0 (llama.cpp), not more than any (SentencePiece) */
    double unk_score, top_score;
    bpe_trie trie;
    hone_str prefix, suffix, word_begin; /* what CHARS and WORDPIECE put on pieces */
    size_t max_word_chars, longest;      /* WORDPIECE: of a word, of a piece (bytes) */
    int fuse_unk;
    int raw_bytes;      /* a token's text is its bytes (tiktoken) */
    const char *cannot; /* why texts cannot be encoded, or NULL */
    int same_text;      /* one text may stand for two ids; the first counts */
    bpe_strmap pieces;  /* what joining and searching may give, by text as the model spells it */
    int32_t byte_piece[256]; /* <0xNN>, or -1 */
    int byte_fallback;       /* a character without piece becomes its bytes */
    int cuts;                /* texts may be cut: cut.c */
    int words_apart;         /* pieces are merged word by word: apart.c */
    uint8_t ws_joins[256];   /* by a character's last byte: U+2581 behind it may join it */
    int only_spaces; /* BPE_SPACES_*: what the normalizer does, where it is no more than that */
    int spm_on;
    bpe_spm spm, undo; /* undo: the denormalizer, of the decoder BPE_D_UNDO */
    int ignore_merges; /* a word that is a token is that token */
    bpe_merges merges;
    /* rules */
    bpe_added *added;
    size_t n_added;
    bpe_matcher raw, raw_plain, norm, norm_plain; /* *_plain: without special tokens */
    int nfc;                                      /* the only normalizer there is: NFC */
    bpe_rule rules[BPE_MAX_RULES];
    int n_rules;
    bpe_decoder decoders[BPE_MAX_DECODERS]; /* none: bytes[] one after the other */
    int n_decoders;
    size_t max_length; /* truncation; 0: none */
    int truncate_left;
    int scanner, force_regex;
    bpe_step steps[BPE_MAX_STEPS];
    int n_steps;
    int32_t *add_front, *add_back; /* the post-processor's ids */
    size_t n_front, n_back;
    int32_t bos, eos, pad, unk_special;
    char fingerprint[65];
    /* pool */
    atomic_flag pool_lock;
    bpe_work *pool;
} bpe_tok;

#define BPE_MAX_ID (1 << 22)

/* load_json.c, load_gguf.c: fill the tokenizer from `spec`. Failures carry text. */
hone_status bpe_load_json(bpe_tok *t, const hone_value *spec);
hone_status bpe_load_gguf(bpe_tok *t, const hone_value *spec);
/* load_rules.c: parts of tokenizer.json; *_add give NULL when there is no room for another step. */
hone_status bpe_load_normalizer(bpe_tok *t, const hone_value *v, int depth);
hone_status bpe_load_pre(bpe_tok *t, const hone_value *v, int depth);
hone_status bpe_load_decoder(bpe_tok *t, const hone_value *v, int depth);
bpe_rule *bpe_rule_add(bpe_tok *t, int kind);
int bpe_rule_form(const char *name); /* "NFC"... as flags, or -1 */
hone_status bpe_rules_bert(bpe_tok *t, int clean, int chinese, int accents, int lower);
bpe_step *bpe_step_add(bpe_tok *t, int kind);
bpe_decoder *bpe_decoder_add(bpe_tok *t, int kind);
hone_status bpe_unsupported(const bpe_tok *t, const char *what, const hone_value *name);
hone_status bpe_malformed(const bpe_tok *t, const char *what);
hone_str bpe_str_of(const hone_value *v); /* {NULL, 0} when it is no text */
/* build.c: room for kinds and scores, by id; all are CONTROL, 0. */
hone_status bpe_kinds_begin(bpe_tok *t);
/* The vocabulary so far is what the model can give (added tokens come later). */
hone_status bpe_pieces_done(bpe_tok *t);
/* build.c: tables. bpe_vocab_begin makes room for ids [0, n); set() puts one. */
hone_status bpe_vocab_begin(bpe_tok *t, int32_t n_ids, const char *where);
hone_status bpe_vocab_set(bpe_tok *t, int32_t id, hone_str text, const char *where);
hone_status bpe_vocab_done(bpe_tok *t,
                           const char *where); /* maps; byte_id from the byte-level alphabet */
hone_status bpe_merge_add(bpe_tok *t, size_t index, hone_str a, hone_str b, int replace);
hone_status bpe_tok_finish(bpe_tok *t,
                           bpe_work *w); /* matchers, scanner choice, regex, fingerprint */
/* The byte-level alphabet: bytes of a token's text, or 0 when a character is outside of it. */
int bpe_unmap(hone_str text, char *out, size_t *n);

/* merge.c: appends the ids (and spans, offset by `base`) of one word. 0 without memory. */
int bpe_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
             int spans);
/* split.c: appends the ids of normalised text; `base` = its place in `spans`. */
hone_status bpe_segment(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int spans);
/* Cuts every piece of w->pieces2 by a step that rewrites nothing. */
hone_status bpe_cut_step(bpe_work *w, const bpe_step *s, const unsigned char *text);
int bpe_add_piece(bpe_work *w, size_t begin, size_t end);
/* regex.c: PCRE2. A pattern that does not compile is E_UNSUPPORTED, naming it and the place. */
hone_status bpe_regex_compile(const hone_host *host, hone_str pattern, const char *what, void **re);
void bpe_regex_release(void *re);
/* The next match behind *end (begin with *at = 1, *end = 0): *at, *end are its ends. One may be empty, but
 * not where the one before ended. 1, or 0: none left; HONE_E_*: memory, or a limit (w->failed). */
int bpe_regex_next(bpe_work *w, const void *re, const unsigned char *p, size_t n, size_t *at,
                   size_t *end);
void bpe_work_release_match(bpe_work *w);
/* scripts.c: a number for the script of a character as UnicodeScripts has it; HONE_E_*: memory. */
enum { BPE_ANY_SCRIPT = 0 };
int bpe_script(bpe_work *w, const unsigned char *p, size_t n, uint32_t code);
/* norm.c: NFC of text into w->norm with the origin of each byte; *same = 1 when nothing changes. */
hone_status bpe_nfc(bpe_work *w, const unsigned char *text, size_t n, int map, int *same);
int bpe_nfc_str(bpe_arena *a, hone_str in, hone_str *out);
/* merge_spm.c: SentencePiece's BPE on one word. */
int bpe_scores_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
                    int spans);
/* apart.c: the words of a piece; marks: what may join across U+2581 (of a piece's text; of all merges). */
hone_status bpe_apart(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                      size_t base, int spans);
void bpe_apart_mark(bpe_tok *t, hone_str s);
void bpe_apart_merges(bpe_tok *t);
hone_status bpe_unigram_done(bpe_tok *t);
int bpe_unigram_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                     size_t base, int spans);
int bpe_chars_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
                   int spans);
int bpe_wordpiece_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                       size_t base, int spans);
int bpe_wordlevel_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                       size_t base, int spans);
int bpe_spm_pieces_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int spans);
void bpe_wordpiece_done(bpe_tok *t);
/* merge.c: the heap of candidate pairs in w->heap, lowest rank first, then leftmost; 0 without memory. */
int bpe_heap_push(bpe_work *w, bpe_heap_item item);
bpe_heap_item bpe_heap_pop(bpe_work *w);
/* merge.c: w->symbols by rank to ids. */
int bpe_merge_symbols(const bpe_tok *t, bpe_work *w, size_t base, int spans);
hone_status bpe_scores_done(bpe_tok *t); /* tables; after kinds and scores */
/* A character (or bytes that are none) that no piece stands for: its bytes, or unk. */
int bpe_unknown(const bpe_tok *t, bpe_work *w, const unsigned char *p, size_t n, size_t at,
                int spans);
/* Two unknowns that meet at ids[at] become one. */
void bpe_join_unknown(const bpe_tok *t, bpe_work *w, size_t at, int spans);
int bpe_push(bpe_work *w, int32_t id, size_t begin, size_t end, int spans);
/* split.c: one word through the cache (whole: and its places). */
int bpe_add_word(const bpe_tok *t, bpe_work *w, const unsigned char *p, size_t n, size_t left,
                 size_t base, int spans, int whole);
/* spm.c: the normalizer on one segment; first: it begins the text. */
int bpe_spm_run(const bpe_spm *s, const bpe_mem *m, const bpe_text *in, bpe_text *out, int first);
/* spm.c: no more than spaces to U+2581, and one in front (dummy); map: with the places. 0 without memory. */
int bpe_spm_spaces(const bpe_mem *m, hone_str text, int dummy, int map, bpe_text *out);
/* added.c: the longest content at `at`, or NULL. */
const bpe_added *bpe_match_at(const bpe_matcher *m, hone_str text, size_t at);
/* normalize.c: all normalizers of a segment; the result is w->norm, its places only with map. */
hone_status bpe_normalize(const bpe_tok *t, bpe_work *w, hone_str text, int first, int map);
/* pretok.c: normalised text to ids, any model but bytes; first: it begins the text. */
hone_status bpe_general(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int first, int spans);
/* decode.c: the decoders over ids[0, n); the text is w->seg.bytes. inner: there are tokens before and behind. */
hone_status bpe_decode(const bpe_tok *t, bpe_work *w, const int32_t *ids, size_t n, uint32_t flags,
                       int inner);
hone_status bpe_decoder_bytes(bpe_tok *t, bpe_work *w); /* bytes[] by the decoders */
int bpe_byte_token(hone_str text);                      /* the byte that "<0xNN>" names, or -1 */
/* encode.c */
hone_status bpe_encode(const bpe_tok *t, bpe_work *w, hone_str text, uint32_t flags);
uint32_t bpe_char_before(const unsigned char *p,
                         size_t at); /* at > 0; UINT32_MAX: none ends there */
/* cut.c: the last place where text[0, len) may be cut, 0: none is known; whether there can be any. */
size_t bpe_cut(const bpe_tok *t, hone_str text, uint32_t flags);
int bpe_cuts(const bpe_tok *t);

/* Where needle[0, k) first stands in hay[0, n), or NULL. */
const void *bpe_find(const void *hay, size_t n, const void *needle, size_t k);

/* gguf_pre.c: the steps that a name of tokenizer.ggml.pre stands for; *bos: does it put bos in front. */
hone_status bpe_gguf_pre(bpe_tok *t, const hone_value *pre, int *bos);
/* load_files.c: from files as they lie in a folder. */
hone_status bpe_load_files(bpe_tok *t, const hone_value *spec);
/* load_spm.c: room for ids [0, more_ids) besides the pieces. */
hone_status bpe_load_spm(bpe_tok *t, const char *name, hone_str data, int32_t more_ids);
hone_status bpe_load_tiktoken(bpe_tok *t, const char *name, hone_str data);
int bpe_is_tiktoken(hone_str data); /* does it begin as such a file does */
/* build.c: those of list[0, n) with this `normalized`; 0 without memory. */
int bpe_matcher_init(bpe_tok *t, bpe_matcher *m, const bpe_added *list, size_t n, int normalized,
                     int with_special);

/* helpers on values */
const hone_value *bpe_get(const hone_value *map, const char *key); /* NULL when absent or null */
int bpe_is(const hone_value *v, const char *z);                    /* a string equal to z */
int bpe_flag(const hone_value *map, const char *key, int dflt);
#endif
