"""What an answer takes for granted, in Chinese: the sentences of the engine and of recipes."""

from __future__ import annotations

import re
from typing import Final

_CHINESE: Final = tuple(
    (re.compile(english), chinese)
    for english, chinese in (
        (
            r"Every sequence has exactly (\d+) tokens, all of them supervised; no padding\.",
            r"每个序列恰有 \1 个词元，全部参与监督，没有填充。",
        ),
        (
            r"Two optimizer steps; evaluation, saving and logging take nothing more\.",
            r"两次优化器更新；评估、保存和日志不另占显存。",
        ),
        (
            r"No data was given: every sequence has (\S+) tokens, and one pass over the data has (\S+)\.",
            r"未给出数据：每个序列有 \1 个词元，遍历一次数据共 \2 个。",
        ),
        (
            r"An optimizer step takes (\S+) sequences over all cards\.",
            r"所有卡上一次优化器更新取 \1 个序列。",
        ),
        (
            r"The trainer is transformers' own: TRL's trains models that predict the next token\.",
            r"使用 transformers 自带的 Trainer：TRL 的训练器只训练预测下一个词元的模型。",
        ),
        (
            r"flash_attention_2 needs the package flash-attn, which has to be installed for it\.",
            r"flash_attention_2 需要安装 flash-attn 软件包。",
        ),
        (r"Left out: (.+?)\. (.+)", r"未考虑：\1。\2"),
        (
            r"Attention on (.+): (.+) \(the choice of PyTorch (\S+) on CUDA\)\.",
            r"\1 上的注意力：\2（PyTorch \3 在 CUDA 上的选择）。",
        ),
        (
            r"Key and value heads are repeated for the memory-efficient kernel, which this card runs\.",
            r"此卡使用 memory-efficient 内核，为此重复键和值的头。",
        ),
        (
            r"PyTorch may choose cuDNN's attention on this card; its workspace is not known and left out\.",
            r"PyTorch 在此卡上可能选用 cuDNN 的注意力；其工作区大小未知，未计入。",
        ),
        (
            r"Weights are loaded in (\S+), not in the checkpoint's own quantised form\.",
            r"权重以 \1 加载，而非检查点自带的量化形式。",
        ),
        (
            r"No input column holds outliers that int8 would multiply apart in 16 bits\.",
            r"假定输入中没有离群列，int8 不必另以 16 位相乘。",
        ),
        (r"Batches hold text only; no images or sound\.", r"批次中只有文字，没有图像和声音。"),
        (r"Tokens are routed to experts evenly\.", r"词元均匀地分给各个专家。"),
        (
            r"Paged optimizer states lie in managed memory, which PyTorch's counters do not see\.",
            r"分页优化器的状态在统一内存中，PyTorch 的计数器看不到。",
        ),
        (
            r"It fits only because the allocator gives cached memory back (\d+) times, which costs time\.",
            r"分配器交还缓存 \1 次才放得下，这会花时间。",
        ),
        (
            r"Buckets, shares and gathers are those of DeepSpeed (\S+), "
            r"which is reproduced here and not run\.",
            r"桶、分片与聚合均按 DeepSpeed \1 重现，并未运行 DeepSpeed 本身。",
        ),
        (
            r"DeepSpeed computes in (\S+) without autocast; "
            r"what learns has a float32 copy, which is sharded\.",
            r"DeepSpeed 以 \1 计算，不用 autocast；参与学习的参数另有一份 float32 副本，副本被分片。",
        ),
        (
            r"The model is read into the memory of the host first; what that takes is not counted\.",
            r"模型先读入主机内存，这部分未计入。",
        ),
        (
            r"The host never runs so far ahead of the card that memory waits for another stream\.",
            r"假定主机不会超前显卡太多，显存无须等待另一条流。",
        ),
        (
            r"In the memory of the host steps DeepSpeedCPUAdam, whatever the optimizer; "
            r"Adagrad and Lion have twins of their own\.",
            r"在主机内存中更新的一律是 DeepSpeedCPUAdam；Adagrad 和 Lion 另有对应的版本。",
        ),
        (
            r"PyTorch rounds pinned memory to powers of two, and so does this count\.",
            r"PyTorch 把锁页内存取整到 2 的幂，此处照此计算。",
        ),
        (
            r"What autograd saves goes to the host over PCIe and comes back in the backward pass; TRL copies "
            r"beside the computation, and times span from copies that hide behind it to copies waited for\.",
            r"autograd 保存的内容经 PCIe 移到主机，反向传播时取回；TRL 与计算并行地复制，"
            r"时间区间从复制完全被计算掩盖到完全等待复制。",
        ),
        (
            r"The inputs of checkpointed layers go to the host over PCIe and come back; transformers copies "
            r"them on the stream that computes, so every copy is waited for\.",
            r"检查点各层的输入经 PCIe 移到主机再取回；transformers 在计算流上复制，因此每次复制都要等待。",
        ),
        (
            r"NVMe is reached through DeepSpeed's default numbers and sizes of buffers\.",
            r"NVMe 经由 DeepSpeed 默认数量和大小的缓冲区读写。",
        ),
        (
            r"The figures are those of rank 0 of (\d+); the last rank may hold a little less\.",
            r"数字属于 \1 个进程中的 0 号；最后一个进程可能略少。",
        ),
        (
            r"Many cards without a sharding run DistributedDataParallel, as torchrun starts them\.",
            r"多卡而不分片时运行 DistributedDataParallel，与 torchrun 启动的一样。",
        ),
        (
            r"FSDP2 shards layers, embedding and head apart, as accelerate's fsdp2_prepare_model does\.",
            r"FSDP2 按 accelerate 的 fsdp2_prepare_model，分别对各层、词嵌入和输出头分片。",
        ),
        (
            r"Weights reach the card one parameter at a time \(fsdp_cpu_ram_efficient_loading: true\); "
            r"rank 0 of each node reads the checkpoint into the memory of the host first, "
            r"which is not counted\.",
            r"权重逐个参数上卡（fsdp_cpu_ram_efficient_loading: true）；"
            r"每个节点的 0 号进程先把检查点读入主机内存，这部分未计入。",
        ),
        (
            r"accelerate keeps what learns in float32 under mixed precision, whatever was loaded\.",
            r"混合精度下，accelerate 把参与学习的参数保持为 float32，不论以何种类型加载。",
        ),
        (
            r"accelerate leaves weights that bitsandbytes stores as integers out of FSDP2: "
            r"every card holds all of them\.",
            r"accelerate 不让 FSDP2 分片 bitsandbytes 以整数存储的权重：每张卡都持有全部。",
        ),
        (
            r"Every card's process quantises the whole model in the memory of the host; fully_shard\(\) then "
            r"moves one layer at a time to the card\. "
            r"Scales of the quantised weights stay whole on every card\.",
            r"每张卡的进程都在主机内存中量化整个模型；fully_shard() 随后逐层移到卡上。"
            r"量化权重的缩放系数在每张卡上都完整保留。",
        ),
        (
            r"Every card loads and quantises the whole model before it is sharded\.",
            r"分片之前，每张卡都加载并量化整个模型。",
        ),
        (
            r"Gradients are reduced after every pass: GradientAccumulationPlugin\.sync_each_batch\.",
            r"每次反向之后都归约梯度：GradientAccumulationPlugin.sync_each_batch。",
        ),
        (
            r"A head that is not tied is sharded with the final norm, which accelerate 1\.15 does not find "
            r"inside PEFT's model: so tunesmith train starts it\. "
            r"Started otherwise, TRL computes the loss on the host\.",
            r"不共享权重的输出头与最后的归一化层一起分片，而 accelerate 1.15 在 PEFT 模型中找不到该层："
            r"tunesmith train 如此启动。否则 TRL 会在主机上计算损失。",
        ),
        (
            r"While gradients accumulate, every card holds them whole: Accelerator\.no_sync\(\)\.",
            r"梯度累积期间，每张卡都持有完整的梯度：Accelerator.no_sync()。",
        ),
        (
            r"Offloaded shards and gradients lie in pinned memory of the host\.",
            r"卸载的分片和梯度位于主机的锁页内存中。",
        ),
        (
            r"Every layer is split over (\d+) cards by transformers' DistributedConfig and the model's own "
            r"tp_plan; those cards see the same batch\.",
            r"transformers 的 DistributedConfig 按模型自带的 tp_plan 把每一层切到 \1 张卡上；"
            r"这些卡看同一批数据。",
        ),
        (
            r"Every sequence is split over (\d+) cards, which attend in PyTorch's ring; those cards see the "
            r"same batch, and all cards share the model\.",
            r"每个序列切到 \1 张卡上，由 PyTorch 的环形注意力计算；这些卡看同一批数据，所有卡共同分担模型。",
        ),
        (
            r"Experts are shared out over (\d+) cards by transformers' DistributedConfig and the model's own "
            r"ep_plan; a card whose experts are preferred receives more tokens and needs more\.",
            r"transformers 的 DistributedConfig 按模型自带的 ep_plan 把专家分到 \1 张卡上；"
            r"专家更受青睐的卡收到更多词元，需要更多显存。",
        ),
        (
            r"The FSDP2 beside it is transformers' own, by the model's fsdp_plan; it casts nothing\.",
            r"与之并用的 FSDP2 是 transformers 自己的，依照模型的 fsdp_plan；它不转换类型。",
        ),
        (
            r"NCCL's buffers are taken to be (\d+) MiB a card, an estimate; the process holds them\.",
            r"NCCL 的缓冲区按每卡 \1 MiB 估计，由进程占用。",
        ),
        (
            r"Times span what 95 of 100 published training runs took for the work that is counted here\.",
            r"时间区间涵盖 100 次公开训练中的 95 次，按此处统计的计算量。",
        ),
        (
            r"None of those runs was on a (.+) card: its times are a guess from other cards\.",
            r"其中没有一次用 \1 架构的卡，其时间由其他卡推测。",
        ),
        (
            r"Only (\d+) of those runs were on (.+) cards: times may be further off\.",
            r"其中只有 \1 次用 \2 架构的卡，时间的偏差可能更大。",
        ),
        (
            r"Between nodes a card is taken to send (\S+) GB a second; a slower network takes longer\.",
            r"节点之间每张卡按每秒发送 \1 GB 计；网络更慢则用时更长。",
        ),
        (r"Dollars are what (.+) ask for an hour of one (.+)\.", r"费用按 \1 对一张 \2 每小时的报价。"),
        (r"All (\d+) layers follow from traces of (.+)\.", r"全部 \1 层由 \2 层的追踪展开而来。"),
        (
            r"adapter: method (\S+) needs one and none was given, so LoRA with its defaults",
            r"adapter：方法 \1 需要适配器而未给出，故用默认的 LoRA",
        ),
        (
            r"quantization: method qlora needs one and none was given, so nf4, quantised twice",
            r"quantization：方法 qlora 需要量化而未给出，故用 nf4 与双重量化",
        ),
        (r"sharding: (\S+) is fsdp", r"sharding：\1 即 fsdp"),
        (r"sharding: (\S+) is fsdp with offload to cpu", r"sharding：\1 即 fsdp 并卸载到 cpu"),
    )
)


def sentence(english: str, lang: str) -> str:
    """Return *english* in *lang*; a sentence that nobody has translated stays as it is.

    >>> sentence("Tokens are routed to experts evenly.", "zh")
    '词元均匀地分给各个专家。'
    """
    if lang == "zh":
        for pattern, chinese in _CHINESE:
            found = pattern.fullmatch(english)
            if found:
                return found.expand(chinese)
    return english
