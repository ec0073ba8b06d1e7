/* json_valid.c - 1 when the completion is JSON: of the asked type, with the asked members, of the asked JSON Schema.
 *
 * The text is the whole completion, what stands in its last ``` fence, or (find = first) the first value
 * that begins with { or [ up to its matching bracket. The host's strict parser decides. */
#include "json_schema.h"

typedef struct json_valid {
    reward base;
    hone_ref json;
    uint32_t where, type;
    const hone_value *keys, *schema;
    json_schema checked; /* where there is a schema */
} json_valid;

enum { TYPE_ANY, TYPE_OBJECT, TYPE_ARRAY };
enum { F_WHERE, F_TYPE, F_KEYS, F_SCHEMA };
static const hone_field *const fields[] = {
    FIELD_FIND, HONE_ENUM("type", "any", "any|object|array", 0, "what it must be"),
    HONE_LIST_OF("keys", 0, "members that an object must have"),
    HONE_ANY("schema", 0, "JSON Schema that it must keep to"), NULL};

/* What lies between the last two fences, without the language behind the first. */
static hone_str in_fence(hone_str s)
{
    hone_str none = {NULL, 0}, mark = hone_str_c("```");
    size_t end = find_last(s, mark), from;
    if (end == SIZE_MAX)
        return none;
    from = find_last(part(s, 0, end), mark);
    if (from == SIZE_MAX)
        return none;
    for (from += 3; from < end && s.ptr[from] != '\n' && s.ptr[from] != '{' && s.ptr[from] != '[';
         from++)
        ;
    return part(s, from, end);
}

static hone_str first_value(hone_str s)
{
    hone_str none = {NULL, 0};
    size_t from = 0, depth = 0;
    int in_string = 0;
    while (from < s.len && s.ptr[from] != '{' && s.ptr[from] != '[')
        from++;
    for (size_t i = from; i < s.len; i++) {
        char c = s.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                return part(s, from, i + 1);
        }
    }
    return none;
}

hone_str json_found(hone_str text, uint32_t where)
{
    return trim(where == WHERE_FENCE   ? in_fence(text)
                : where == WHERE_FIRST ? first_value(text)
                                       : text);
}

static int has_keys(const json_valid *j, const hone_value *v)
{
    for (size_t i = 0; j->keys && i < j->keys->u.list.n; i++) {
        hone_str want = j->keys->u.list.items[i].u.str;
        int there = 0;
        for (size_t k = 0; v->type == HONE_MAP && k < v->u.map.n; k++)
            there |= v->u.map.pairs[k].key.len == want.len &&
                     memcmp(v->u.map.pairs[k].key.ptr, want.ptr, want.len) == 0;
        if (!there)
            return 0;
    }
    return 1;
}

static void json_score(const scoring *s, verdict *v)
{
    const json_valid *j = (const json_valid *)s->self;
    const hone_json_v1 *vt = j->json.vt;
    const hone_str text = json_found(s->sample->completion, j->where);
    const hone_value *value;
    void *doc;
    score_is(v, 0);
    if (!text.ptr)
        return;
    hone_status st = vt->parse(j->json.self, text, &doc, &value);
    if (st == HONE_E_NOMEM)
        error_is(v, "out of memory");
    if (st < 0)
        return;
    if ((j->type == TYPE_ANY || value->type == (j->type == TYPE_OBJECT ? HONE_MAP : HONE_LIST)) &&
        has_keys(j, value)) {
        const int held = j->schema ? schema_holds(&j->checked, value, v->text, sizeof v->text) : 1;
        score_is(v, held > 0);
        if (held < 0)
            error_is(v, v->text);
        else if (!held)
            note_text(s, "schema", hone_str_c(v->text));
    }
    vt->release(j->json.self, doc);
}

static void json_release(reward *self)
{
    json_valid *j = (json_valid *)self;
    if (j->schema)
        schema_close(&j->checked);
}

static hone_status json_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    json_valid *j;
    hone_status s = reward_create(host, sizeof *j, json_score, &base);
    if (s < 0)
        return s;
    j = (json_valid *)base;
    s = host->get_iface(host, HONE_IFACE_JSON, &j->json);
    j->where = (uint32_t)cfg->i64(cfg, F_WHERE);
    j->type = (uint32_t)cfg->i64(cfg, F_TYPE);
    j->keys = cfg->value(cfg, F_KEYS);
    for (size_t i = 0; s >= 0 && j->keys && i < j->keys->u.list.n; i++)
        if (j->keys->u.list.items[i].type != HONE_STRING)
            s = hone_host_fail(host, HONE_E_INVALID, "json_valid: key %zu is not a text", i + 1);
    if (s >= 0 && cfg->value(cfg, F_SCHEMA)) {
        s = schema_open(host, base->mem, cfg->value(cfg, F_SCHEMA), &j->checked);
        if (s >= 0) {
            j->schema = cfg->value(cfg, F_SCHEMA);
            base->release = json_release;
        }
    }
    if (s < 0) {
        reward_destroy(j);
        return s;
    }
    *self_out = j;
    return HONE_OK;
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, HONE_IFACE_REGEX, NULL};
static const char *const wants[] = {"completion", NULL};
const hone_component json_valid_component = {
    REWARD_HEAD("json_valid", "1 when the completion is JSON"), .fields = fields, .needs = needs,
    .wants = wants, .create = json_create};
