/* Loads its state and saves another.
 * validate: instance.state fail save, load and save again gives other bytes
 * score: survives */
#include "hone/state.h"
static hone_status save(void *self, const hone_out_stream *out);
static hone_status load(void *self, const hone_in_stream *in);
static const hone_state_v1 states = {sizeof(hone_state_v1), 0, save, load};
#define CAPS HONE_CAP_STATEFUL
#define PROVIDES HONE_IFACE_REWARD, HONE_IFACE_STATE
#define MORE_IFACES                                                                                \
    if (strcmp(id, HONE_IFACE_STATE) == 0)                                                         \
        return &states;
#define ON_CALL my->count += n;
#include "hostile.h"

static hone_status save(void *self, const hone_out_stream *out)
{
    return out->write(out, &((instance *)self)->count, 8);
}
static hone_status load(void *self, const hone_in_stream *in)
{
    uint64_t x[2] = {0, 0};
    size_t got = 1, have = 0;
    for (; have < 9 && got; have += got)
        if (in->read(in, (char *)x + have, 9 - have, &got) < 0)
            return HONE_E_IO;
    if (have != 8)
        return hone_host_fail(((instance *)self)->host, HONE_E_INVALID, "no state of this plugin");
    ((instance *)self)->count = x[0] / 2;
    return HONE_OK;
}
