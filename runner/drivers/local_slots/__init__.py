"""The processes that stand between ``maestro run`` and the commands it runs on this machine.

Started with ``python -I -S``, standard library only: they must start fast and import nothing from anywhere else.
One process (``supervisor``) reads the work from standard input and forks one process per core, each with its share of
the slots. Such a process starts many commands and watches all of them. It is a subreaper (Linux): whatever a command
starts, however it detaches, ends up as its child, and an inherited mark says which command it belongs to (``slots``).

Claim: the command's log is created with O_EXCL in the child, right before it becomes the command. Whoever creates it
runs it; there is no instant at which a command runs unclaimed or is claimed without a trace.

Journal (one file per such process, one JSON object per line, only that one writes it):
  ``slot``    who writes: pid, birth (clock ticks since boot), boot id
  ``horizon`` ids that may be started before the next one; on the disk before they are: after a power failure it says
              what may have run though no other trace of it is left
  ``warm``    a manifest whose Python program is kept ready, or why it is refused (``warm``, ``warm_child``)
  ``start``   id, attempt, published, claimed, started, deadline, pid, mark, born (nothing of it was before); those of
              commands that are started in a row are written together, after them
  ``end``     id, attempt, outcome …, final
Room for both records of a command is reserved on the disk before it is claimed: a full disk cannot swallow an ending.

All times are nanoseconds of the monotonic clock, which every process of a boot shares.

Standard input stays open as long as the dispatcher lives: when it closes, what runs is finished and nothing more
starts. SIGTERM: what runs is ended. Each ending puts one byte on standard output, only to wake the reader.
"""
