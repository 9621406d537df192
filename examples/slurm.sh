#!/bin/bash
# LRE's samples on all nodes of a Slurm allocation:
#
#     sbatch --nodes 4 --cpus-per-task 16 examples/slurm.sh --target loihi2 model.pt
#
# Everything after the script's name goes to spear-deploy. Ray and spear-deploy have to be on the PATH of every node
# (load modules or activate an environment below).
#SBATCH --job-name=spear-deploy
#SBATCH --ntasks-per-node=1
set -euo pipefail

PORT=${PORT:-6379}
CPUS=${SLURM_CPUS_PER_TASK:-1}
export RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=$(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address | awk '{print $1}')

# On the first node; it stays until this script ends, and Slurm ends it then.
srun --overlap --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" \
  ray start --head --block --node-ip-address="$address" --port="$PORT" --num-cpus="$CPUS" &
for _ in $(seq 60); do
  if srun --overlap --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" ray health-check --address "$address:$PORT"; then
    break
  fi
  sleep 2
done

if ((${#nodes[@]} > 1)); then
  others=$(IFS=,; echo "${nodes[*]:1}")
  srun --overlap --nodes=$((${#nodes[@]} - 1)) --ntasks=$((${#nodes[@]} - 1)) --nodelist="$others" \
    ray start --block --address="$address:$PORT" --num-cpus="$CPUS" &
fi

# Nodes that join while it runs share the work as well.
srun --overlap --nodes=1 --ntasks=1 --cpus-per-task="$CPUS" --nodelist="${nodes[0]}" \
  spear-deploy --ray "$address:$PORT" "$@"
