"""What judge and worker share, and the one protocol by which every call is made.

Two processes, three things between them: an arena (`arena.py`), where the judge puts inputs; a page
of flags beside it (`page.py`); and a socket for what is long and slow, such as how a case's weights
are laid out. A call, whatever it is for:

    judge                                     worker
    puts contents into the arena
    page[ASKED] = n                           gets ready, holds its breath: page[READY] = n
    page[GO] = n        (the clock starts)    runs forward, writes where its output lies
                        (the clock stops)     page[DONE] = n, or page[FAILED] = n
    stops the worker, copies the output       (on a GPU: before DONE, has the output copied into
    into memory of its own, lets it go on      the arena, on the timed stream)
    (waits, where it asks)                    lays out anew what inputs the call has laid out
                                              otherwise, as by x.t_(): page[LOOKED] = n

A kernel cannot tell what a call is for (the page says only whether it is one of the first, which
are not timed), and the next contents are never there before the last call is answered.
"""
