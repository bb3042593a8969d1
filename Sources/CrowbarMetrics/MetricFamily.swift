/// All metrics by their names, in the order in which they are written. docs/metrics.md says what each one means.
public enum MetricFamily: String, CaseIterable, Sendable {
    case buildInfo = "crowbar_build_info"
    case logPosition = "crowbar_log_position"
    case appendSeconds = "crowbar_append_seconds"
    case commands = "crowbar_commands_total"
    case httpRequestSeconds = "crowbar_http_request_seconds"
    case httpRejected = "crowbar_http_rejected_total"
    case streamClients = "crowbar_stream_clients"
    case streamsDropped = "crowbar_streams_dropped_total"
    case logins = "crowbar_logins_total"
    case pluginState = "crowbar_plugin_state"
    case pluginRestarts = "crowbar_plugin_restarts_total"
    case pluginMemory = "crowbar_plugin_memory_bytes"
    case pluginCPU = "crowbar_plugin_cpu_seconds_total"
    case pluginDetail = "crowbar_plugin_detail"
    case strikes = "crowbar_strikes_total"
    case checkSeconds = "crowbar_check_seconds"
    case queueLagEvents = "crowbar_queue_lag_events"
    case queueLagSeconds = "crowbar_queue_lag_seconds"
    case queueInFlight = "crowbar_queue_in_flight"
    case queueParked = "crowbar_queue_parked"
    case deliveries = "crowbar_deliveries_total"
    case deadLetters = "crowbar_dead_letters"
    case viewState = "crowbar_view_state"
    case viewLagEvents = "crowbar_view_lag_events"
    case viewLagSeconds = "crowbar_view_lag_seconds"
    case publish = "crowbar_publish_total"
    case configLastReloadSuccess = "crowbar_config_last_reload_success"
    case diskFree = "crowbar_disk_free_bytes"
    case metricsDropped = "crowbar_metrics_dropped_total"
    case processCPU = "process_cpu_seconds_total"
    case processOpenFiles = "process_open_fds"
    case processMaxFiles = "process_max_fds"
    case processVirtualMemory = "process_virtual_memory_bytes"
    case processResidentMemory = "process_resident_memory_bytes"
    case processStart = "process_start_time_seconds"

    /// What Prometheus calls the type.
    public enum Kind: String, Sendable { case counter, gauge, histogram }

    /// The type.
    public var kind: Kind {
        switch self {
        case .appendSeconds, .httpRequestSeconds, .checkSeconds: .histogram
        default: rawValue.hasSuffix("_total") ? .counter : .gauge
        }
    }

    /// The names of the labels, in the order in which their values are given.
    public var labels: [String] {
        switch self {
        case .buildInfo: ["version"]
        case .commands, .logins: ["outcome"]
        case .httpRequestSeconds: ["route", "status"]
        case .httpRejected, .streamsDropped: ["reason"]
        case .pluginState: ["plugin", "state"]
        case .pluginRestarts: ["plugin", "cause"]
        case .pluginMemory, .pluginCPU, .strikes, .checkSeconds: ["plugin"]
        case .pluginDetail: ["plugin", "queue", "name"]
        case .queueLagEvents, .queueLagSeconds, .queueInFlight, .queueParked, .deadLetters: ["plugin", "queue"]
        case .deliveries: ["plugin", "outcome"]
        case .viewState: ["view", "state"]
        case .viewLagEvents, .viewLagSeconds: ["view"]
        case .publish: ["target", "outcome"]
        default: []
        }
    }

    /// One line about it.
    public var help: String {
        switch self {
        case .buildInfo: "1; the label is the version of the server."
        case .logPosition: "Position of the newest event in the log."
        case .appendSeconds: "Time of an append to the log, until it is durable. An append stores many commands."
        case .commands: "Commands that reached the log's entrance, by what became of them."
        case .httpRequestSeconds: "Time from a request's head to the head of its answer."
        case .httpRejected: "Requests and connections that were refused, by reason."
        case .streamClients: "Event streams that are open."
        case .streamsDropped: "Event streams that the server ended, by reason."
        case .logins: "Attempts to sign in by password or OpenID provider."
        case .pluginState: "1 for the state that the plugin is in, 0 for the others."
        case .pluginRestarts: "Restarts of the plugin's process, by why the process before ended."
        case .pluginMemory: "Resident memory of the plugin's processes."
        case .pluginCPU: "Processor time of the plugin's processes. It starts again with each process."
        case .pluginDetail: "A number of the plugin's status details; the label queue is empty for the plugin's own."
        case .strikes: "Violations of the plugin protocol."
        case .checkSeconds: "Time that a command-phase plugin takes to answer a check, or to fail to."
        case .queueLagEvents: "Events after the queue's cursor, not yet settled."
        case .queueLagSeconds: "Age of the first event after the queue's cursor."
        case .queueInFlight: "Deliveries that the plugin holds."
        case .queueParked: "Lanes of the queue that are set aside because they fail."
        case .deliveries: "Deliveries by what became of them."
        case .deadLetters: "Dead letters of the queue."
        case .viewState: "1 for the state that the view is in, 0 for the others."
        case .viewLagEvents: "Events of the log that the view has not applied."
        case .viewLagSeconds: "Age of the first event that the view has not applied."
        case .publish: "Files that were written to or deleted from a publishing target, by outcome."
        case .configLastReloadSuccess: "1 if the last reload of crowbar.toml succeeded, or there was none; else 0."
        case .diskFree: "Free bytes on the disk of the data folder."
        case .metricsDropped: "Numbers of plugins' status details that were left out of crowbar_plugin_detail."
        case .processCPU: "Processor time of the server, user and system."
        case .processOpenFiles: "Open file descriptors of the server."
        case .processMaxFiles: "Limit of open file descriptors of the server."
        case .processVirtualMemory: "Virtual memory of the server."
        case .processResidentMemory: "Resident memory of the server."
        case .processStart: "Start of the server in seconds of Unix time."
        }
    }
}
