/* pin.h - a caller shares one processor with its box: a sleeping box on another one takes ten times as long to wake.
 *
 * A call into a box holds its thread on the processor it is on, and lets go when it returns. Setting that costs more than
 * the call's own way there and back, so a thread that makes one short call after another says so and stays until it
 * has nothing more to do. Threads that were started meanwhile would stay with it: who keeps starts none. */
#ifndef HONE_CORE_SANDBOX_PIN_H
#define HONE_CORE_SANDBOX_PIN_H

/* on: calls of this thread into boxes leave it where they held it. 0: lets go, and each call lets go again. What a
 * long call (0.2 ms) held is let go at once in any case. [any-thread] */
void hone_pin_keep(int on);

/* Around a call. enter gives the processor this thread is held on, -1 where that is not possible. */
int hone__pin_enter(void);
void hone__pin_leave(void);
#endif
