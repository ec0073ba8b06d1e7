/* load_spm.c - a SentencePiece model file (.model), read by hand from its protobuf bytes.
 *
 * ModelProto: pieces (1), trainer_spec (2), normalizer_spec (3), denormalizer_spec (5); fields that are not
 * needed are stepped over. Every length is checked against what is left of its message; a field of another
 * wire type than its own is an error, groups are refused. What
 * tokenizer_config.json asks for (bos, eos) and the tokens it adds are load_files.c's.
 * Source: sentencepiece_model.proto, protocol buffers encoding. */
#include "bpe.h"

#include <stdio.h>
#include <string.h>

typedef struct cursor { /* one message */
    const unsigned char *begin, *p, *end;
} cursor;
typedef struct field {
    uint32_t number, wire;
    uint64_t value; /* wire 0, 1, 5 */
    cursor message; /* wire 2: the bytes */
} field;

typedef struct spm_file {
    bpe_tok *t;
    const char *name;
    const unsigned char *begin;
    size_t n_pieces;
    uint64_t model_type;
    uint64_t byte_fallback, suffix, dummy_prefix, remove_extra, escape;
    uint64_t undo_prefix, undo_extra, undo_escape; /* the same of denormalizer_spec */
    int64_t unk, bos, eos, pad;
    hone_str charsmap, tsv, undo, undo_tsv;
} spm_file;

static hone_status broken(const spm_file *f, const cursor *c, const char *what)
{
    return hone_host_fail(f->t->host, HONE_E_PARSE, "%s: byte %zu: %s", f->name,
                          (size_t)(c->p - f->begin), what);
}

static int varint(cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && c->p < c->end; shift += 7) {
        unsigned char b = *c->p++;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return 1;
        }
    }
    return 0;
}

/* The next field; 1, 0 at the message's end, or an error. */
static int next(const spm_file *f, cursor *c, field *out)
{
    uint64_t tag;
    if (c->p == c->end)
        return 0;
    if (!varint(c, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
        return broken(f, c,
                      "a field's tag is cut or wrong: no SentencePiece model, or a damaged one");
    out->number = (uint32_t)(tag >> 3);
    out->wire = tag & 7;
    size_t left = (size_t)(c->end - c->p), size = out->wire == 1 ? 8 : 4;
    uint64_t n;
    switch (out->wire) {
    case 0:
        return varint(c, &out->value) ? 1 : broken(f, c, "a number is cut");
    case 1:
    case 5:
        if (left < size)
            return broken(f, c, "a number is cut");
        out->value = 0;
        for (size_t i = 0; i < size; i++)
            out->value |= (uint64_t)c->p[i] << 8 * i;
        c->p += size;
        return 1;
    case 2:
        if (!varint(c, &n))
            return broken(f, c, "a length is cut");
        if (n > (size_t)(c->end - c->p))
            return broken(f, c, "a length is past the end of its message");
        out->message.begin = out->message.p = c->p;
        out->message.end = c->p + n;
        c->p += n;
        return 1;
    default:
        return broken(f, c,
                      "a field of unknown wire type: no SentencePiece model, or a damaged one");
    }
}

static hone_str bytes_of(const field *d)
{
    hone_str s = {(const char *)d->message.begin, (size_t)(d->message.end - d->message.begin)};
    return s;
}

static hone_status piece(spm_file *f, cursor *c, int32_t id)
{
    bpe_tok *t = f->t;
    field d;
    hone_str text = {NULL, 0};
    uint64_t type = BPE_T_NORMAL;
    float score = 0;
    int more;
    cursor at = *c;
    while ((more = next(f, c, &d)) > 0) {
        if ((d.number == 1 && d.wire != 2) || (d.number == 2 && d.wire != 5) ||
            (d.number == 3 && d.wire != 0))
            return broken(f, c, "a piece's field has a wrong type");
        if (d.number == 1)
            text = bytes_of(&d);
        else if (d.number == 2) {
            uint32_t bits = (uint32_t)d.value;
            memcpy(&score, &bits, sizeof score);
        } else if (d.number == 3)
            type = d.value;
    }
    if (more < 0)
        return more;
    if (!text.len || type < BPE_T_NORMAL || type > BPE_T_BYTE)
        return broken(f, &at, text.len ? "a piece's type is unknown" : "a piece is empty");
    if (score != score || score > 3e38f || score < -3e38f)
        return broken(f, &at, "a piece's score is not finite");
    hone_status s = bpe_vocab_set(t, id, text, f->name);
    if (s < 0)
        return s;
    t->kind[id] = (uint8_t)type;
    t->score[id] = (double)score;
    t->special[id] = type == BPE_T_CONTROL || type == BPE_T_UNKNOWN;
    if (type == BPE_T_UNKNOWN)
        t->unk = id;
    return HONE_OK;
}

static hone_status numbers(spm_file *f, cursor *c)
{
    const struct {
        uint32_t number;
        uint64_t *out;
    } fields[] = {{3, &f->model_type},       {24, &f->suffix},          {35, &f->byte_fallback},
                  {40, (uint64_t *)&f->unk}, {41, (uint64_t *)&f->bos}, {42, (uint64_t *)&f->eos},
                  {43, (uint64_t *)&f->pad}};
    field d;
    int more;
    while ((more = next(f, c, &d)) > 0)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (d.number == fields[i].number) {
                if (d.wire != 0)
                    return broken(f, c, "a field of trainer_spec has a wrong type");
                *fields[i].out = d.value;
            }
    return more;
}

static hone_status normalizer(spm_file *f, cursor *c, int undo)
{
    field d;
    int more;
    while ((more = next(f, c, &d)) > 0) {
        if (d.number < 2 || d.number > 6)
            continue;
        if (d.wire != (d.number == 2 || d.number == 6 ? 2u : 0u))
            return broken(f, c, "a field of normalizer_spec has a wrong type");
        if (d.number == 2)
            *(undo ? &f->undo : &f->charsmap) = bytes_of(&d);
        else if (d.number == 6)
            *(undo ? &f->undo_tsv : &f->tsv) = bytes_of(&d);
        else if (d.number == 3)
            *(undo ? &f->undo_prefix : &f->dummy_prefix) = d.value;
        else if (d.number == 4)
            *(undo ? &f->undo_extra : &f->remove_extra) = d.value;
        else
            *(undo ? &f->undo_escape : &f->escape) = d.value;
    }
    return more;
}

/* All messages of the file; pieces are counted (t->kind NULL) or set. */
static hone_status walk(spm_file *f, hone_str data, int set)
{
    cursor c = {(const unsigned char *)data.ptr, (const unsigned char *)data.ptr,
                (const unsigned char *)data.ptr + data.len};
    field d;
    int more;
    size_t n = 0;
    while ((more = next(f, &c, &d)) > 0) {
        if (d.number < 1 || d.number > 5 || d.number == 4)
            continue;
        if (d.wire != 2)
            return broken(f, &c, "a part of the model has a wrong type");
        hone_status s = HONE_OK;
        if (d.number == 1) {
            if (n > BPE_MAX_ID)
                return hone_host_fail(f->t->host, HONE_E_LIMIT, "%s: more than %d pieces", f->name,
                                      BPE_MAX_ID);
            if (set)
                s = piece(f, &d.message, (int32_t)n);
            n++;
        } else if (!set) {
            s = d.number == 2 ? numbers(f, &d.message) : normalizer(f, &d.message, d.number == 5);
        }
        if (s < 0)
            return s;
    }
    f->n_pieces = n;
    return more;
}

static hone_status bad_map(const spm_file *f, const char *where, const char *why)
{
    return why ? hone_host_fail(f->t->host, HONE_E_PARSE, "%s: %s.precompiled_charsmap: %s",
                                f->name, where, why)
               : hone_host_fail(f->t->host, HONE_E_NOMEM, "%s: out of memory", f->name);
}

static hone_status rules(spm_file *f)
{
    bpe_tok *t = f->t;
    const char *why;
    if ((f->tsv.len && !f->charsmap.len) || (f->undo_tsv.len && !f->undo.len))
        return hone_host_fail(t->host, HONE_E_UNSUPPORTED,
                              "%s: a model with rules that were not compiled is not supported",
                              f->name);
    if (!bpe_charsmap_init(&t->spm.map, &t->arena, f->charsmap, &why))
        return bad_map(f, "normalizer_spec", why);
    if (!bpe_charsmap_init(&t->undo.map, &t->arena, f->undo, &why))
        return bad_map(f, "denormalizer_spec", why);
    t->spm_on = 1;
    t->spm.dummy_prefix = f->dummy_prefix != 0;
    t->spm.remove_extra = f->remove_extra != 0;
    t->spm.escape = f->escape != 0;
    t->spm.suffix = f->suffix != 0;
    t->byte_fallback = f->byte_fallback != 0;
    /* the text's own begin is where the dummy space was put */
    bpe_decoder *d = bpe_decoder_add(t, BPE_D_FALLBACK);
    d = bpe_decoder_add(t, BPE_D_REPLACE);
    d->a.ptr = BPE_WS;
    d->a.len = 3;
    d->b.ptr = " ";
    d->b.len = 1;
    bpe_decoder_add(t, BPE_D_FUSE);
    if (f->dummy_prefix && !f->suffix) {
        d = bpe_decoder_add(t, BPE_D_STRIP);
        d->a = t->decoders[1].b;
        d->start = 1;
    }
    if (f->undo.len) {
        t->undo.dummy_prefix = f->undo_prefix != 0;
        t->undo.remove_extra = f->undo_extra != 0;
        t->undo.escape = f->undo_escape != 0;
        bpe_decoder_add(t, BPE_D_UNDO)->spm = &t->undo;
    }
    return HONE_OK;
}

static hone_status user_pieces(bpe_tok *t)
{
    size_t n = 0;
    for (int32_t id = 0; id < t->n_ids; id++)
        n += t->kind[id] == BPE_T_USER;
    bpe_added *list = bpe_arena_alloc(&t->arena, (n + 1) * sizeof *list);
    if (!list)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    memset(list, 0, (n + 1) * sizeof *list);
    n = 0;
    for (int32_t id = 0; id < t->n_ids; id++)
        if (t->kind[id] == BPE_T_USER) {
            list[n].content = t->text[id];
            list[n++].id = id;
        }
    return bpe_matcher_init(t, &t->spm.user, list, n, 0, 1)
               ? HONE_OK
               : hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
}

static int32_t id_of(const bpe_tok *t, int64_t id)
{
    return id >= 0 && id < t->n_ids && t->kind[id] == BPE_T_CONTROL ? (int32_t)id : -1;
}

hone_status bpe_load_spm(bpe_tok *t, const char *name, hone_str data, int32_t more_ids)
{
    spm_file f = {.t = t,
                  .name = name,
                  .begin = (const unsigned char *)data.ptr,
                  .model_type = 1,
                  .dummy_prefix = 1,
                  .remove_extra = 1,
                  .escape = 1,
                  .undo_prefix = 1,
                  .undo_extra = 1,
                  .undo_escape = 1,
                  .unk = 0,
                  .bos = 1,
                  .eos = 2,
                  .pad = -1};
    hone_status s = walk(&f, data, 0);
    if (s < 0)
        return s;
    static const int models[] = {BPE_M_UNIGRAM, BPE_M_SCORES, BPE_M_SPM_WORD, BPE_M_SPM_CHAR};
    if (f.model_type < 1 || f.model_type > 4)
        return hone_host_fail(t->host, HONE_E_UNSUPPORTED,
                              "%s: model type %llu is not known (unigram, bpe, word, char are)",
                              name, (unsigned long long)f.model_type);
    t->model = models[f.model_type - 1];
    t->float_sums = 1;
    int32_t n = (int32_t)f.n_pieces;
    s = bpe_vocab_begin(t, n == 0 ? 0 : more_ids > n ? more_ids : n, name);
    if (s >= 0)
        s = bpe_kinds_begin(t);
    if (s >= 0)
        s = walk(&f, data, 1);
    if (s >= 0 && t->unk < 0)
        s = hone_host_fail(t->host, HONE_E_PARSE, "%s: no piece is of type unknown", name);
    if (s >= 0)
        s = rules(&f);
    if (s >= 0)
        s = user_pieces(t);
    if (s < 0)
        return s;
    t->unk_special = t->unk;
    t->bos = id_of(t, f.bos);
    t->eos = id_of(t, f.eos);
    t->pad = id_of(t, f.pad);
    return HONE_OK;
}
