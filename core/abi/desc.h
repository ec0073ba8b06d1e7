/* desc.h - interface descriptions: hone's own, checks of those that plugins bring, JSON, hash.
 *
 * The canonical JSON form of a description is in the sidecar and in a box's handshake; its hash (without the
 * texts for people) identifies it: the same id with another hash is a refusal. (plugin-abi.md 3a) */
#ifndef HONE_CORE_ABI_DESC_H
#define HONE_CORE_ABI_DESC_H
#include "abi/sig.h"
#include "base/json.h"
#include "hone/desc.h"

/* hone's own description of `id`, or NULL; all of them, NULL-terminated. [any-thread] */
const hone_iface_desc *hone_desc_builtin(const char *id);
const hone_iface_desc *const *hone_desc_builtins(void);

/* Is it sound? Names, offsets inside the struct and rising, counts that count, signatures that parse.
 * E_ABI naming interface, struct and member. [any-thread] */
hone_status hone_desc_check(const char *who, const hone_iface_desc *d);
/* A NULL-terminated table (or NULL) brought by a file: each sound, and none with the id of one of hone's own
 * or of another in the table but another hash. */
hone_status hone_desc_check_ifaces(const char *who, const hone_iface_desc *const *ifaces);

/* The slot `name` of a description or of a sink struct, or NULL. */
const hone_slot *hone_desc_slot(const hone_struct_desc *table, const char *name);
/* Member at an offset / of a name, or NULL. */
const hone_member *hone_desc_member(const hone_struct_desc *s, const char *name);
const hone_member *hone_desc_member_at(const hone_struct_desc *s, uint32_t offset);
const char *hone_desc_type_name(uint32_t type); /* "u32", "str", ... */
/* How many elements member `m` of the struct at `base` points at (or holds in place); E_RANGE on overflow. */
hone_status hone_desc_count(const hone_struct_desc *s, const hone_member *m, const void *base,
                            size_t *out);

/* Canonical JSON; with_docs 0 leaves out what is for people. */
void hone_desc_json(const hone_iface_desc *d, int with_docs, hone_jw *w);
/* And back: into the arena, sound by hone_desc_check. `who` goes into errors. E_PARSE, E_ABI. [any-thread] */
hone_status hone_desc_read(const hone_value *v, const char *who, hone_arena *arena,
                           const hone_iface_desc **out);
/* SHA-256 of the JSON without docs. */
hone_status hone_desc_hash(const hone_iface_desc *d, char out[65]);
#endif
