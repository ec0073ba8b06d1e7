/* policy.c - may this file be loaded? Asked by the registry with the hash of the very bytes that would be.
 *
 * In this order: the project's lock; then, for what does not ship with hone, the signature beside the file (one that
 * does not hold is a refusal, whoever asked), what the user revoked or trusts, and at last the kind: optimizers, models
 * and ops share the compute core's memory, so they need trust, however the file was named. Everything else that
 * nobody trusts runs in a box, and so does what starts programs or says that it loads foreign code (it needs
 * hone.box/1), whoever trusts it.
 *
 * Before the kind comes the quarantine: a file that ended its box three times is refused, whoever trusts it.
 *
 * A store or a lock that cannot be read refuses: nothing is trusted by a mistake. (plugin-abi.md 6) */
#include "host/registry_private.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_FILE_MAX = 8 << 20 };

/* PATH.so -> PATH.sig in the registry's arena; NULL on no memory. */
static char *beside(hone_registry *r, const char *so, const char *ending)
{
    size_t n = strlen(so);
    char *path = hone_arena_strndup(&r->arena, so, n + 1);
    if (!path || n < 3)
        return NULL;
    char *longer = hone_arena_alloc(&r->arena, n + 8);
    if (!longer)
        return NULL;
    memcpy(longer, so, n - 2);
    memcpy(longer + n - 2, ending, strlen(ending) + 1);
    return longer;
}

/* The ids of all components, joined by commas. */
static hone_status joined_ids(const hone_plugin *p, hone_buf *out)
{
    for (size_t i = 0; p->components[i]; i++)
        hone_buf_addf(out, "%s%s", i ? "," : "", p->components[i]->c.id);
    return out->failed;
}

/* The signature beside the file in *out, checked against the bytes; *found = 0 when there is none. */
static hone_status read_signature(hone_registry *r, const hone_plugin *p, const char *sha256,
                                  hone_signature *out, int *found)
{
    char sidecar_hash[65];
    char *path = beside(r, p->path, "sig"), *side = beside(r, p->path, "json");
    hone_buf b, ids;
    if (!path || !side)
        return HONE_E_NOMEM;
    *found = hone_file_exists(path);
    if (!*found)
        return HONE_OK;
    hone_buf_init(&b, SMALL_FILE_MAX);
    hone_buf_init(&ids, SMALL_FILE_MAX);
    hone_status s = hone_file_read(path, SMALL_FILE_MAX, &b);
    if (s >= 0)
        s = hone_signature_parse(b.ptr, b.len, path, &r->arena, out);
    if (s >= 0)
        s = hone_signature_check(out, path);
    if (s >= 0 && strcmp(out->so, sha256) != 0) {
        s = hone_fail(HONE_E_REFUSED, "%s: is not the file that %s was made for", p->path,
                      hone_path_base(path));
        hone_fail_detail("signed %s\nis     %s", out->so, sha256);
        hone_fail_hint("sign it again (hone plugin sign), or remove the old signature");
    }
    if (s >= 0)
        s = joined_ids(p, &ids);
    if (s >= 0 && hone_file_exists(side))
        s = hone_sha256_file(side, sidecar_hash);
    else if (s >= 0)
        s = hone_fail(HONE_E_REFUSED, "%s: signed, but its sidecar is not there", p->path);
    /* A file that is described from itself has no ids yet: hone__policy_signed_ids looks when it has. */
    if (s >= 0 && (strcmp(sidecar_hash, out->sidecar) != 0 ||
                   (p->components[0] && strcmp(ids.ptr, out->ids) != 0))) {
        s = hone_fail(HONE_E_REFUSED, "%s: is not the sidecar that was signed", side);
        hone_fail_hint("get both files again from who made them, or sign them again");
    }
    hone_buf_release(&b);
    hone_buf_release(&ids);
    return s;
}

hone_status hone__policy_signed_ids(const hone_plugin *p)
{
    hone_buf ids;
    if (!p->signed_ids)
        return HONE_OK;
    hone_buf_init(&ids, SMALL_FILE_MAX);
    hone_status s = joined_ids(p, &ids);
    if (s >= 0 && strcmp(ids.ptr, p->signed_ids) != 0) {
        s = hone_fail(HONE_E_REFUSED, "%s: holds components that its signature does not name",
                      p->path);
        hone_fail_detail("signed %s\nholds  %s", p->signed_ids, ids.ptr);
        hone_fail_hint("get it again from who made it, or sign it again");
    }
    hone_buf_release(&ids);
    return s;
}

static hone_status read_lock(hone_registry *r)
{
    hone_buf b;
    if (r->lock_read || !r->lock_path || !hone_file_exists(r->lock_path)) {
        r->lock_read = 1;
        return HONE_OK;
    }
    hone_buf_init(&b, SMALL_FILE_MAX);
    hone_status s = hone_file_read(r->lock_path, SMALL_FILE_MAX, &b);
    if (s >= 0)
        s = hone_lock_parse(b.ptr, b.len, r->lock_path, &r->arena, &r->lock);
    hone_buf_release(&b);
    r->lock_read = s >= 0;
    return s;
}

static hone_status check_lock(const hone_registry *r, const hone_plugin *p, const char *id,
                              const char *version, const char *sha256)
{
    for (size_t i = 0; i < r->lock.n; i++) {
        const hone_lock_row *row = &r->lock.rows[i];
        if (strcmp(row->id, id) != 0 || strcmp(row->sha256, sha256) == 0)
            continue;
        hone_fail(HONE_E_REFUSED, "%s: %s is locked to another file by %s", p->path, id,
                  r->lock_path);
        hone_fail_detail("locked %s, %s\nis     %s, %s", row->version, row->sha256, version,
                         sha256);
        return hone_fail_hint(
            hone_version_compare(version, row->version) < 0
                ? "this one is older than what was locked: hone.lock exists to refuse that"
                : "hone plugin lock writes down the present files, if the change is wanted");
    }
    return HONE_OK;
}

int hone_kind_shares_memory(const char *kind)
{
    static const char *const kinds[] = {HONE_KIND_OPTIMIZER, HONE_KIND_MODEL, HONE_KIND_OPS,
                                        "device"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return 1;
    return 0;
}

hone_status hone__policy_component(const hone_registry *r, const hone_plugin *p,
                                   const hone_component *c, const char *sha256, int runs)
{
    HONE_TRY(check_lock(r, p, c->id, c->version ? c->version : "", sha256));
    if (runs && p->lua && hone_kind_shares_memory(c->kind)) {
        hone_fail(HONE_E_REFUSED, "%s: %s is of kind %s, and a file in Lua runs in a box", p->path,
                  c->id, c->kind);
        hone_fail_detail("what is of kind %s shares the memory of the computation", c->kind);
        return hone_fail_hint("make it part of a recipe: require it there");
    }
    if (!runs || r->in_process || p->trust != HONE_PLUGIN_UNTRUSTED ||
        !hone_kind_shares_memory(c->kind))
        return HONE_OK;
    hone_fail(HONE_E_REFUSED, "%s: %s is of kind %s, and nobody trusts it", p->path, c->id,
              c->kind);
    hone_fail_detail(
        "what is of kind %s shares the memory of the computation: no box can hold it, and it could "
        "change weights or gradients unseen",
        c->kind);
    return hone_fail_hint("hone plugin trust %s, if you know where it is from", p->path);
}

static int needs_box(const hone_component *c)
{
    for (size_t i = 0; c->needs && c->needs[i]; i++)
        if (strcmp(c->needs[i], "hone.box/1") == 0)
            return 1;
    return 0;
}

int hone__policy_in_process(const hone_plugin *p, const hone_component *c)
{
    if (p->lua || needs_box(c))
        return 0;
    if (p->trust == HONE_PLUGIN_SHIPPED)
        return 1; /* what of it starts programs does so in boxes (hone.process/1) */
    if (c->caps & HONE_CAP_EXEC)
        return 0;
    return p->trust != HONE_PLUGIN_UNTRUSTED;
}

int hone_component_needs_box(const hone_component_info *info)
{
    return info->plugin && !hone__policy_in_process(info->plugin, &info->c);
}

static hone_status read_quarantine(hone_registry *r)
{
    if (r->quarantine_read)
        return HONE_OK;
    HONE_TRY(hone_quarantine_open(&r->quarantine));
    r->quarantine_read = 1;
    return HONE_OK;
}

hone_status hone_plugin_deaths(hone_registry *r, const hone_plugin *p, const hone_quarantined **out)
{
    char sha256[65];
    HONE_TRY(read_quarantine(r));
    HONE_TRY(hone_plugin_sha256(p, sha256));
    *out = hone_quarantine_find(&r->quarantine, sha256);
    return HONE_OK;
}

void hone__policy_died(const hone_registry *r, const hone_plugin *p, const char *sha256,
                       const char *id, const hone_death *d)
{
    const hone_error before = *hone_error_get();
    int64_t count = 0;
    char real[PATH_MAX];
    if (r->trial || !p || p->trust == HONE_PLUGIN_SHIPPED)
        return;
    const char *path = realpath(p->path, real) ? real : p->path;
    if (hone_quarantine_add(sha256, path, id, d, &count) < 0)
        hone_log(HONE_LOG_WARN, id, "its death is not counted: %s", hone_error_get()->what);
    else if (count == HONE_QUARANTINE_AT)
        hone_log(HONE_LOG_WARN, id,
                 "it ended its box %d times: %s is in quarantine from the next command on "
                 "(hone plugin quarantine)",
                 HONE_QUARANTINE_AT, p->path);
    hone_error_set(&before);
}

hone_status hone__policy_check(hone_registry *r, hone_plugin *p, const char *sha256, int shipped,
                               int runs)
{
    hone_signature sig;
    int signed_ = 0, level = HONE_TRUST_NONE;
    char today[11];
    HONE_TRY(read_lock(r));
    p->trust = shipped ? HONE_PLUGIN_SHIPPED : HONE_PLUGIN_UNTRUSTED;
    if (!shipped) {
        if (!r->trust_read)
            HONE_TRY(hone_trust_open(&r->trust));
        r->trust_read = 1;
        HONE_TRY(read_signature(r, p, sha256, &sig, &signed_));
        p->signed_ids = signed_ ? sig.ids : NULL;
        hone_today(today);
        HONE_TRY(
            hone_trust_judge(&r->trust, p->path, sha256, signed_ ? &sig : NULL, today, &level));
        if (level == HONE_TRUST_HASH)
            p->trust = HONE_PLUGIN_TRUSTED_HASH;
        else if (level == HONE_TRUST_KEY)
            p->trust = HONE_PLUGIN_TRUSTED_KEY;
        if (!r->trial) {
            HONE_TRY(read_quarantine(r));
            HONE_TRY(hone_quarantine_judge(&r->quarantine, p->path, sha256, !runs));
        }
    }
    for (size_t i = 0; p->components && p->components[i]; i++)
        HONE_TRY(hone__policy_component(r, p, &p->components[i]->c, sha256, runs));
    return HONE_OK;
}
