"""What psycopg 3 can do, and what comes of it: one JSON object on standard output, a key for each feature.

    python3 psycopg-features.py postgres://… [--two]

--two: with what needs two server connections at a time.
"""

import json
import logging
import sys
import threading
import time

import psycopg

url = sys.argv[1]

# At the end of a pipeline it warns of an error that it has raised already, or not: as fast as the error came.
logging.getLogger("psycopg").setLevel(logging.ERROR)


def connect(**options):
    return psycopg.connect(url, autocommit=True, **options)


def rows(connection, text, parameters=None, **options):
    return connection.execute(text, parameters, **options).fetchall()


def prepared_statements():
    with connect(prepare_threshold=0) as one, connect(prepare_threshold=0) as other:
        return [
            rows(connection, "select %s::int + %s::int", (n, turn))[0][0]
            for n in range(4)
            for turn, connection in enumerate((one, other))
        ]


def deallocated_statements():
    """It deallocates the oldest of more statements than prepared_max, by the name that its Parse gave."""
    with connect(prepare_threshold=0) as connection:
        connection.prepared_max = 2
        return [rows(connection, f"select {n % 5} + %s::int", (n,))[0][0] for n in range(15)]


def pipeline():
    with connect() as connection:
        with connection.pipeline():
            answers = [connection.execute("select %s::int", (n,)) for n in range(100)]
            total = sum(cursor.fetchone()[0] for cursor in answers)
        try:
            with connection.pipeline() as pipeline:
                connection.execute("select 1 / %s::int", (0,))
                connection.execute("select 1")
                pipeline.sync()
            outcome = None
        except psycopg.Error as error:
            outcome = error.sqlstate
        return [total, outcome, rows(connection, "select 'it goes on'")]


def pipeline_in_transactions():
    with connect() as connection:
        connection.execute("create table if not exists piped (n int)")
        connection.execute("truncate piped")
        with connection.pipeline():
            for start in range(0, 100, 10):
                with connection.transaction():
                    connection.cursor().executemany(
                        "insert into piped values (%s)", [(n,) for n in range(start, start + 10)]
                    )
        return rows(connection, "select count(*), sum(n) from piped")[0]


def copy():
    with connect() as connection:
        connection.execute("create table if not exists copied_by_psycopg (n int, word text)")
        connection.execute("truncate copied_by_psycopg")
        cursor = connection.cursor()
        with cursor.copy("copy copied_by_psycopg from stdin (format binary)") as copying:
            copying.set_types(["int4", "text"])
            for n in range(10_000):
                copying.write_row((n, f"word {n}"))
        with cursor.copy("copy (select n from copied_by_psycopg order by n) to stdout") as copying:
            return sum(int(row[0]) for row in copying.rows())


def copy_given_up():
    with connect() as connection:
        cursor = connection.cursor()
        try:
            with cursor.copy("copy copied_by_psycopg from stdin") as copying:
                copying.write("1\tone\n")
                raise KeyError("enough")
        except KeyError:
            pass
        return rows(connection, "select count(*) from copied_by_psycopg where word = 'one'")[0][0]


def notifications():
    with connect() as listener, connect() as other:
        listener.execute("listen of_psycopg")
        for word in ("one", "two", "three"):
            other.execute("select pg_notify('of_psycopg', %s)", (word,))
        heard = []
        for notify in listener.notifies():
            heard.append(notify.payload)
            if len(heard) == 3:
                return heard


def server_side_cursors():
    with psycopg.connect(url) as connection:
        with connection.cursor("named") as cursor:
            cursor.itersize = 10
            cursor.execute("select n from generate_series(1, 1000) n")
            total = sum(n for (n,) in cursor)
            cursor.scroll(0, mode="absolute")
            again = cursor.fetchone()[0]
        connection.commit()
        with connection.cursor("held", withhold=True) as cursor:
            cursor.execute("select n from generate_series(1, 100) n")
            connection.commit()
            return [total, again, sum(n for (n,) in cursor)]


def cancel():
    with connect() as connection:
        def cancels():
            with connect() as watcher:
                while not rows(
                    watcher,
                    "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
                ):
                    time.sleep(0.01)
            connection.cancel()

        thread = threading.Thread(target=cancels)
        thread.start()
        try:
            connection.execute("select pg_sleep(60)")
            outcome = "not cancelled"
        except psycopg.errors.QueryCanceled as error:
            outcome = error.sqlstate
        thread.join()
        return [outcome, rows(connection, "select 1")[0][0]]


def nested_transactions():
    with psycopg.connect(url) as connection:
        connection.execute("create temp table mine (n int) on commit drop")
        for n in range(3):
            try:
                with connection.transaction():
                    connection.execute("insert into mine values (%s)", (n,))
                    if n == 1:
                        raise psycopg.Rollback()
            except psycopg.Error:
                pass
        return rows(connection, "select array_agg(n) from mine")[0][0]


def two_phase_commit():
    """Prepared on one connection, decided on another. Without max_prepared_transactions it is refused."""
    with psycopg.connect(url) as connection, psycopg.connect(url) as other:
        xid = connection.xid(1, "of psycopg", "branch")
        connection.tpc_begin(xid)
        connection.execute("create table if not exists of_two_phases (n int)")
        try:
            connection.tpc_prepare()
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            connection.close()
            return error.sqlstate
        # At its end a connection that has prepared one would commit.
        connection.close()

        def prepared():
            return [x.gtrid for x in other.tpc_recover() if x.database == other.info.dbname]

        before = prepared()
        other.tpc_rollback(xid)
        return [before, prepared()]


def session_settings():
    with psycopg.connect(url, options="-c statement_timeout=12345 -c search_path=pg_temp,public") as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        seen = rows(
            connection,
            "select current_setting('transaction_read_only'), current_setting('transaction_isolation'),"
            " current_setting('statement_timeout'), current_setting('search_path')",
        )[0]
        connection.rollback()
        return [*seen, connection.info.encoding, connection.info.get_parameters()["options"]]


features = [
    prepared_statements,
    deallocated_statements,
    pipeline,
    pipeline_in_transactions,
    copy,
    copy_given_up,
    nested_transactions,
    two_phase_commit,
    session_settings,
    notifications,
    server_side_cursors,
]
needs_two_connections = [cancel]

outcomes = {}
for feature in features + (needs_two_connections if "--two" in sys.argv else []):
    try:
        outcomes[feature.__name__] = feature()
    except Exception as error:
        outcomes[feature.__name__] = f"{type(error).__name__}: {error}"
print(json.dumps(outcomes))
