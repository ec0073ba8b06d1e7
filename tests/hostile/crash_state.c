/* Crashes when it is to save what it remembers.
 * validate: instance.state crash save
 * score: any */
#define CAPS HONE_CAP_STATEFUL
#define MORE_IFACES                                                                                \
    if (strcmp(id, HONE_IFACE_STATE) == 0)                                                         \
        return &states;
#define PROVIDES HONE_IFACE_REWARD, HONE_IFACE_STATE
#include "hone/state.h"
#include <stdlib.h>
static hone_status save(void *self, const hone_out_stream *out)
{
    (void)self;
    (void)out;
    abort();
}
static hone_status load(void *self, const hone_in_stream *in)
{
    (void)self;
    (void)in;
    return HONE_OK;
}
static const hone_state_v1 states = {sizeof states, 0, save, load};
#include "hostile.h"
