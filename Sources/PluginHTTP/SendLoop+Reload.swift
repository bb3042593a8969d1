import PluginWire

// Endpoints come, change and go while the others send on.
extension SendLoop {
    /// Starts the queues that the host names: a delivery of an earlier life of one of them is void.
    func begin(_ started: [HostMessage.QueueStart]) {
        for start in started {
            if let index = indices[start.name] { retire(index) }
            guard let endpoint = wanted[start.name] else { continue }
            let queue = EndpointQueue(endpoint, state: start.state, offset: offset, now: MonotonicClock.now())
            lastPool &+= 1
            let current = ConfiguredEndpoint(endpoint, pool: lastPool)
            let index: Int
            if let free = vacant.popLast() {
                index = free
                (configured[index], queues[index]) = (current, queue)
            } else {
                index = queues.count
                configured.append(current)
                queues.append(queue)
                isListed.append(false)
                idle.append([])
            }
            indices[start.name] = index
            limiter.set(index, endpoint.rate, now: MonotonicClock.now())
            if queue.wakeAt != nil { held.insert(index) }
            queue.opening.forEach(send)
            holdIfBlocked(index)
        }
        reporter.isDirty = true
    }

    /// Adopts a new configuration. What is the same notices nothing; a changed endpoint whose queue is the same goes on
    /// with its place and its deliveries; one whose queue changed begins again when the host says so.
    func configure(_ id: MessageID, _ new: Service.Configuration) {
        service.adopt(new)
        wanted = Dictionary(new.endpoints.map { ($0.name, $0) }) { first, _ in first }
        for (name, index) in indices {
            guard let endpoint = wanted[name] else {
                retire(index)
                continue
            }
            if endpoint.fingerprint == configured[index].endpoint.fingerprint { continue }
            if endpoint.isQueued(as: configured[index].endpoint) { change(index, to: endpoint) } else { retire(index) }
        }
        reporter.log(service.takeLogLines())
        reporter.isDirty = true
        hasChanged = true
        outbox.flush().forEach(send)
        let declared = new.endpoints.map { endpoint in
            var queue = endpoint.queue
            // The window as it is now, so that the host opens none that is held.
            if let index = indices[endpoint.name] { queue.window = queues[index].window }
            return queue
        }
        send(.queues(declared))
        send(.configured(id: id, problem: nil))
    }

    /// The queues of the endpoints that run.
    var runningQueues: [EndpointQueue] { indices.values.sorted().map { queues[$0] } }

    /// Makes room where an endpoint was removed and nothing of it is in flight.
    func vacate(_ index: Int) {
        guard retired.contains(index), queues[index].inFlight == 0 else { return }
        retired.remove(index)
        vacant.append(index)
    }

    private func retire(_ index: Int) {
        indices[queues[index].name] = nil
        queues[index].retire()
        held.remove(index)
        limiter.set(index, nil, now: MonotonicClock.now())
        dropIdle(of: index)
        retired.insert(index)
        vacate(index)
    }

    private func change(_ index: Int, to endpoint: Endpoint) {
        configured[index] = ConfiguredEndpoint(endpoint, pool: configured[index].pool)
        queues[index].adopt(endpoint).forEach(send)
        held.remove(index)
        limiter.set(index, endpoint.rate, now: MonotonicClock.now())
        dropIdle(of: index)
        holdIfBlocked(index)
        list(index)
    }

    /// Holds an endpoint that nothing can be sent to from the start, so that the status says so at once.
    private func holdIfBlocked(_ index: Int) {
        if case .blocked(let result) = service.readiness(of: configured[index].endpoint, at: Self.time) {
            suspend(index, result)
        }
    }

    private func dropIdle(of index: Int) {
        for request in idle[index] { discard(request) }
        idleCount -= idle[index].count
        idle[index] = []
    }
}
