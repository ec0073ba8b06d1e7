/* Lets an exception cross the border.
 * validate: instance.call crash Aborted
 * score: dies */
#include "hone/reward.h"

#include <stdexcept>

static hone_status score(void *, const hone_call *, const hone_sample *, size_t, size_t,
                         hone_outcome *, size_t, const hone_notes *)
{
    throw std::runtime_error("out of the plugin");
}
HONE_REWARD_PLUGIN(0x000100, "org.hostile.reward.it", "1.0.0", "throws", 0, nullptr, nullptr,
                   score);
