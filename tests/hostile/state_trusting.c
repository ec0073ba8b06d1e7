/* Takes any bytes for its state.
 * validate: instance.state fail load takes an empty state
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
    size_t got;
    return in->read(in, &((instance *)self)->count, 8, &got);
}
